import Hummingbird

#if canImport(FoundationEssentials)
  import FoundationEssentials
#else
  import Foundation
#endif

/// A request on its way through the service.
struct LinkRequestContext: RequestContext {
  var coreContext: CoreRequestContextStorage

  init(source: Source) { coreContext = .init(source: source) }

  /// Bytes of a body that is read as a whole: the longest target, percent-encoded in a form, and a slug.
  var maxUploadSize: Int { 16 << 10 }

  /// Fields in a fixed order, and addresses as they are.
  var responseEncoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    return encoder
  }
}

extension Request {
  /// A browser asks, or something that wants to be taken for one: it gets pages instead of JSON.
  var wantsHTML: Bool { headers[.accept]?.contains("text/html") ?? false }
}
