#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// Reads a request's body. Whatever is in it, the result is a message or an `APIError`.
struct JSONBody {
  let bytes: [UInt8]
  let maximumNesting: Int

  /// An empty body is an empty message, as with etcd's gateway.
  func decode<Message: Decodable>(_ type: Message.Type) throws(APIError) -> Message {
    guard nesting <= maximumNesting else {
      throw APIError(.invalidArgument, "JSON is nested deeper than \(maximumNesting) levels")
    }
    let decoder = JSONDecoder()
    // Accepts both spellings: a name without underscores stays as it is.
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(type, from: Data(isBlank ? Array("{}".utf8) : bytes))
    } catch let error as APIError {
      throw error
    } catch let error as Base64.Malformed {
      throw APIError(.invalidArgument, error.description)
    } catch let error as DecodingError {
      throw APIError(.invalidArgument, Self.describe(error))
    } catch {
      throw APIError(.invalidArgument, "malformed JSON")
    }
  }

  private var isBlank: Bool { bytes.allSatisfy { $0 == 0x20 || (0x09...0x0d).contains($0) } }

  /// How deep arrays and objects are inside each other, so that the decoder, which is recursive, gets nothing that could exhaust its stack.
  private var nesting: Int {
    var (depth, deepest) = (0, 0)
    var (inString, escaped) = (false, false)
    for byte in bytes {
      switch byte {
      case _ where escaped: escaped = false
      case UInt8(ascii: "\\") where inString: escaped = true
      case UInt8(ascii: "\""): inString.toggle()
      case _ where inString: break
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        depth += 1
        deepest = max(deepest, depth)
      case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
      default: break
      }
    }
    return deepest
  }

  private static func describe(_ error: DecodingError) -> String {
    let (problem, context) =
      switch error {
      case .typeMismatch(_, let context): ("wrong type", context)
      case .valueNotFound(_, let context), .keyNotFound(_, let context): ("missing value", context)
      case .dataCorrupted(let context): (context.codingPath.isEmpty ? "malformed" : context.debugDescription, context)
      @unknown default: ("malformed", DecodingError.Context(codingPath: [], debugDescription: ""))
      }
    let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
    return path.isEmpty ? "invalid JSON: \(problem)" : "invalid JSON: \(problem) at \(path)"
  }
}
