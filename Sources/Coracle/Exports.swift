// The usual program needs one import: the types that it names come with it, whether it embeds the store or replicates a state of its own.
// `Key`, `Value`, `Request` and `Response` do not, since other packages have types of these names: bytes and text stand for the first two,
// and a program that builds requests of any kind imports `KeyValue`.

@_exported import struct ByteCoding.ByteReader
@_exported import struct ByteCoding.ByteWriter
@_exported import typealias ByteCoding.Bytes
@_exported import struct ByteCoding.MalformedBytes
@_exported import struct KeyValue.Comparison
@_exported import struct KeyValue.DeleteRequest
@_exported import struct KeyValue.Event
@_exported import struct KeyValue.EventFilter
@_exported import struct KeyValue.Fence
@_exported import struct KeyValue.KeyRange
@_exported import enum KeyValue.KeyValueError
@_exported import struct KeyValue.KeyValueMachine
@_exported import struct KeyValue.KeyValuePair
@_exported import typealias KeyValue.LeaseID
@_exported import enum KeyValue.OperationResult
@_exported import struct KeyValue.PutRequest
@_exported import struct KeyValue.RangeRequest
@_exported import struct KeyValue.RangeResponse
@_exported import typealias KeyValue.Revision
@_exported import enum KeyValue.StoreError
@_exported import struct KeyValue.StoreSettings
@_exported import struct KeyValue.TransactionRequest
@_exported import enum KeyValue.WatchError
@_exported import struct Raft.Nanoseconds
@_exported import struct Replica.Command
@_exported import enum Replica.Consistency
@_exported import struct Replica.ReplicaSettings
@_exported import struct Replica.ReplicaStatus
@_exported import struct Replica.RequestError
@_exported import enum Replica.SnapshotBlockSize
@_exported import struct Replica.SnapshotBlocks
@_exported import protocol Replica.SnapshotSource
@_exported import protocol Replica.StateMachine
