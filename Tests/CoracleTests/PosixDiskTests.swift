import Foundation
import Testing
import WriteAheadLog

@testable import Coracle

@Suite struct PosixDiskTests {
  @Test func keepsWhatWasWrittenAcrossOpenings() throws {
    try withTemporaryDirectory { path in
      do {
        let disk = try PosixDisk(path: path + "/data")
        let file = try disk.open("a", create: true)
        try disk.write(file, offset: 3, [1, 2, 3])
        try disk.write(file, offset: 4, [9])
        try disk.sync(file)
        disk.close(file)
        try disk.syncDirectory()
      }
      let disk = try PosixDisk(path: path + "/data")
      #expect(try disk.list() == ["a"])
      let file = try disk.open("a", create: false)
      defer { disk.close(file) }
      #expect(try disk.size(file) == 6)
      #expect(try disk.read(file, offset: 0, count: 100) == [0, 0, 0, 1, 9, 3])
      #expect(try disk.read(file, offset: 4, count: 1) == [9])
      #expect(try disk.read(file, offset: 6, count: 1) == [])
      #expect(try disk.read(file, offset: 1000, count: .max) == [])
    }
  }

  @Test func renamesReplacesAndRemoves() throws {
    try withTemporaryDirectory { path in
      let disk = try PosixDisk(path: path)
      for (name, byte) in [("a", UInt8(1)), ("b", 2)] {
        let file = try disk.open(name, create: true)
        try disk.write(file, offset: 0, [byte])
        disk.close(file)
      }
      try disk.rename("a", to: "b")
      #expect(try disk.list() == ["b"])
      let file = try disk.open("b", create: true)
      #expect(try disk.read(file, offset: 0, count: 9) == [1])
      disk.close(file)
      try disk.remove("b")
      try disk.syncDirectory()
      #expect(try disk.list() == [])
    }
  }

  @Test func saysWhatIsMissing() throws {
    try withTemporaryDirectory { path in
      let disk = try PosixDisk(path: path)
      #expect(throws: DiskError(operation: "open", file: "a", reason: .missing)) { try disk.open("a", create: false) }
      #expect(throws: DiskError(operation: "remove", file: "a", reason: .missing)) { try disk.remove("a") }
      #expect(throws: DiskError(operation: "rename", file: "a", reason: .missing)) { try disk.rename("a", to: "b") }
      #expect(throws: PosixDiskError.self) { try PosixDisk(path: path + "/no/parent") }
      #expect(throws: PosixDiskError.self) { try PosixDisk(path: "") }
    }
  }

  @Test(arguments: ["", ".", "..", "LOCK", "a/b", "../a", "a\0b"])
  func refusesNamesThatLeaveTheDirectory(name: String) throws {
    try withTemporaryDirectory { path in
      let disk = try PosixDisk(path: path)
      #expect(throws: DiskError.self) { try disk.open(name, create: true) }
      #expect(throws: DiskError.self) { try disk.remove(name) }
      #expect(throws: DiskError.self) { try disk.rename("a", to: name) }
    }
  }

  @Test func refusesOffsetsBelowZero() throws {
    try withTemporaryDirectory { path in
      let disk = try PosixDisk(path: path)
      let file = try disk.open("a", create: true)
      defer { disk.close(file) }
      #expect(throws: DiskError.self) { try disk.read(file, offset: -1, count: 1) }
      #expect(throws: DiskError.self) { try disk.read(file, offset: 0, count: -1) }
      #expect(throws: DiskError.self) { try disk.write(file, offset: -1, [1]) }
    }
  }

  @Test func fullDiskIsToldApart() {
    #expect(DiskError("write", "a", ENOSPC).reason == .full)
    #expect(DiskError("write", "a", EDQUOT).reason == .full)
    #expect(DiskError("open", "a", EMFILE).reason == .tooManyFiles)
    #expect(DiskError("open", "a", ENFILE).reason == .tooManyFiles)
    #expect(DiskError("write", "a", EIO).reason == .failed("Input/output error"))
  }

  @Test func theSpareDescriptorIsForWhatCannotBeOpenedOtherwise() {
    let spare = SpareDescriptor()
    var attempts = 0
    let opened = spare.opening {
      attempts += 1
      errno = attempts == 1 ? EMFILE : 0
      return attempts == 1 ? -1 : 1000
    }
    #expect(opened == 1000)
    // Another failure is not for want of descriptors.
    #expect(
      spare.opening {
        attempts += 1
        errno = ENOENT
        return -1
      } == -1)
    #expect(errno == ENOENT)
    #expect(attempts == 3)
  }

  @Test func runningNodesDirectoryIsRefused() throws {
    try withTemporaryDirectory { path in
      let first = try PosixDisk(path: path)
      let error = #expect(throws: PosixDiskError.locked(path)) { try PosixDisk(path: path) }
      #expect(error?.description.contains(path) == true)
      withExtendedLifetime(first) {}
    }
  }

  @Test func directoryIsFreeAfterUse() throws {
    try withTemporaryDirectory { path in
      _ = try PosixDisk(path: path)
      let second = try PosixDisk(path: path)
      second.unlock()
      _ = try PosixDisk(path: path)
      withExtendedLifetime(second) {}
    }
  }

  @Test func directoryIsForItsOwnerOnly() throws {
    try withTemporaryDirectory { path in
      _ = try PosixDisk(path: path + "/data")
      #expect(try permissions(of: path + "/data") == 0o700)
    }
  }
}
