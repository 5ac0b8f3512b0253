import Hummingbird
import KeyValue
import Links

/// What an import did, in JSON.
private struct ImportBody: ResponseEncodable {
  struct Refusal: Encodable {
    var line: Int
    var code: String
    var message: String
  }

  struct Stop: Encodable {
    var code: String
    var message: String
  }

  var created: Int
  var same: Int
  var refused: Int
  /// The first of those refused.
  var refusals: [Refusal]
  /// Why the import ended before the file did. What was made stays; the same file may be imported again.
  var stopped: Stop?

  init(_ summary: ImportSummary, stopped error: ServiceError?) {
    created = summary.created
    same = summary.same
    refused = summary.refused
    refusals = summary.refusals.map { Refusal(line: $0.line, code: $0.reason.code, message: $0.reason.description) }
    stopped = error.map { Stop(code: $0.code, message: $0.description) }
  }
}

extension Routes {
  /// Rows of an import that are made at the same time.
  private static var importWidth: Int { 16 }

  /// All links with their visits, page by page. If a page cannot be read the connection ends without the end of the body, so that the
  /// client sees that the file is not whole.
  @Sendable func exportLinks(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    let subject = context.subject
    let first = try await service.list(after: nil, limit: LinkShortener.maximumPage, for: subject)
    let body = ResponseBody { [service] writer in
      var page = first
      try await writer.write(ByteBuffer(string: LinkCSVWriter.header))
      while true {
        for key in page.damaged { context.logger.error("a link cannot be read", metadata: ["key": "\(key)"]) }
        try await writer.write(ByteBuffer(string: page.links.map { LinkCSVWriter.row($0.stored, visits: $0.visits) }.joined()))
        guard let next = page.next else { break }
        page = try await service.list(after: next, limit: LinkShortener.maximumPage, for: subject)
      }
      try await writer.finish(nil)
    }
    let headers: HTTPFields = [
      .contentType: "text/csv; charset=utf-8; header=present", .contentDisposition: "attachment; filename=\"links.csv\"",
      .cacheControl: "no-store",
    ]
    return Response(status: .ok, headers: headers, body: body)
  }

  /// Reads the body as it comes, and makes the links of a few rows at a time. It does not take visits and times over from links that are
  /// there already, so it may be repeated.
  @Sendable func importLinks(_ request: Request, _ context: LinkRequestContext) async throws -> Response {
    let type = request.headers[.contentType].flatMap { MediaType(from: $0) }
    guard let type, type.isType(MediaType(type: .text, subType: "csv")) else { throw ServiceError.request(.csvContentType) }
    var reader = LinkCSVReader()
    var summary = ImportSummary()
    var bytes = 0
    var failure: ServiceError?
    do {
      for try await buffer in request.body {
        bytes += buffer.readableBytes
        guard bytes <= maximumImportBytes else { throw ServiceError.request(.tooLarge(maximumBytes: maximumImportBytes)) }
        try await make(reader.read(buffer.readableBytesView), context.subject, &summary)
        if reader.headerError != nil { break }
      }
      if reader.headerError == nil { try await make(reader.finish(), context.subject, &summary) }
      // Nothing of a file whose header cannot be read is made: then it is not one row that is wrong, but the request.
      if let error = reader.headerError { failure = .link(error) }
    } catch let error as ServiceError {
      failure = error
    }
    var response = try ImportBody(summary, stopped: failure).response(from: request, context: context)
    if let failure {
      response.status = failure.status
      if failure.status == .serviceUnavailable { response.headers[.retryAfter] = "1" }
    }
    return response
  }

  /// Rows of the same slug are made one after the other, in the order of the file.
  private func make(_ rows: [LinkCSVReader.Row], _ subject: Subject, _ summary: inout ImportSummary) async throws(ServiceError) {
    var batch: [LinkCSVReader.Row] = []
    for row in rows {
      if batch.count == Self.importWidth || batch.contains(where: { $0.isSameLink(as: row) }) {
        try await makeAtOnce(batch, subject, &summary)
        batch.removeAll()
      }
      batch.append(row)
    }
    try await makeAtOnce(batch, subject, &summary)
  }

  /// What was made is counted even if one of the rows fails.
  private func makeAtOnce(
    _ batch: [LinkCSVReader.Row], _ subject: Subject, _ summary: inout ImportSummary
  ) async throws(ServiceError) {
    let results = await withTaskGroup { group in
      for row in batch { group.addTask { (row.line, await outcome(of: row, for: subject)) } }
      return await group.reduce(into: []) { $0.append($1) }
    }
    var failure: ServiceError?
    for (line, result) in results.sorted(by: { $0.0 < $1.0 }) {
      switch result {
      case .success(let outcome): summary.record(line: line, outcome)
      case .failure(let error): failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  /// A failure is one that ends the import; a row that breaks a rule is refused, and the others go on.
  private func outcome(of row: LinkCSVReader.Row, for subject: Subject) async -> Result<ImportSummary.Outcome, ServiceError> {
    switch row.content {
    case .failure(let error): return .success(.refused(error))
    case .success(let link):
      do throws(ServiceError) {
        return .success(try await service.create(link, for: subject))
      } catch .link(let error) {
        return .success(.refused(error))
      } catch {
        return .failure(error)
      }
    }
  }
}

extension LinkCSVReader.Row {
  fileprivate func isSameLink(as other: Self) -> Bool {
    guard case .success(let left) = content, case .success(let right) = other.content else { return false }
    return left.slug == right.slug
  }
}
