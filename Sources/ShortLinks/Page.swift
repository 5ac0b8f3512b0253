import Hummingbird
import Links

/// A page of HTML. It works without scripts, loads nothing, and follows the reader's choice of light or dark.
struct Page: Sendable {
  private let title: String
  private let content: String

  func response(_ status: HTTPResponse.Status) -> Response {
    let buffer = ByteBuffer(string: html)
    let headers: HTTPFields = [
      .contentType: "text/html; charset=utf-8", .contentLength: String(buffer.readableBytes), .cacheControl: "no-store",
      .contentSecurityPolicy:
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ]
    return Response(status: status, headers: headers, body: .init(byteBuffer: buffer))
  }

  private var html: String {
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>\(title)</title>
    <style>\(Self.style)</style>
    </head>
    <body>
    <main>
    \(content)
    </main>
    </body>
    </html>

    """
  }
}

extension Page {
  /// - Parameters:
  ///   - host: as the browser named it; shown before the slug.
  ///   - recent: the links made last; `nil` if they cannot be read now.
  static func home(host: String, made: Slug?, fields: LinkFields?, problem: String?, recent: [StoredLink]?) -> Page {
    let notice: String
    if let problem {
      notice = "<p class=\"notice problem\" role=\"alert\">\(escaped(capitalized(problem))).</p>"
    } else if let made {
      notice = "<p class=\"notice\" role=\"status\">Your short link: <a href=\"/\(made)\">\(escaped(host))/\(made)</a></p>"
    } else {
      notice = ""
    }
    return Page(
      title: "Short links",
      content: """
        <h1>Short links</h1>
        \(notice)
        \(form(fields))
        <section aria-labelledby="recent">
        <h2 id="recent">Recent</h2>
        \(list(recent))
        </section>
        <footer><a href="/_links.csv">Export as CSV</a></footer>
        """)
  }

  static func failure(_ message: String) -> Page {
    Page(
      title: "Short links",
      content: """
        <h1>That did not work</h1>
        <p class="notice problem">\(escaped(capitalized(message))).</p>
        <p><a href="/">Go to the start page</a></p>
        """)
  }

  private static func form(_ fields: LinkFields?) -> String {
    """
    <form method="post" action="/_links">
    <label for="target">Long address</label>
    <input id="target" name="target" type="url" required maxlength="\(Target.maximumBytes)" placeholder="https://…" \
    value="\(escaped(fields?.target ?? ""))" autocomplete="off" autofocus>
    <label for="slug">Short name <span>(optional)</span></label>
    <input id="slug" name="slug" maxlength="\(Slug.maximumBytes)" pattern="[A-Za-z0-9][A-Za-z0-9_\\-]*" \
    title="Letters, digits, hyphens and underscores; the first is a letter or a digit" value="\(escaped(fields?.slug ?? ""))" \
    autocapitalize="none" autocomplete="off" spellcheck="false">
    <button>Shorten</button>
    </form>
    """
  }

  private static func list(_ recent: [StoredLink]?) -> String {
    guard let recent else { return "<p>They cannot be read right now.</p>" }
    if recent.isEmpty { return "<p>There are no links yet.</p>" }
    let items = recent.map { "<li><a href=\"/\($0.slug)\">/\($0.slug)</a> <span>\(escaped($0.link.target.text))</span></li>" }
    return "<ul>\n\(items.joined(separator: "\n"))\n</ul>"
  }

  /// For text and for attributes in double quotation marks.
  private static func escaped(_ text: String) -> String {
    var escaped = ""
    for character in text.unicodeScalars {
      switch character {
      case "&": escaped += "&amp;"
      case "<": escaped += "&lt;"
      case ">": escaped += "&gt;"
      case "\"": escaped += "&quot;"
      case "'": escaped += "&#39;"
      default: escaped.unicodeScalars.append(character)
      }
    }
    return escaped
  }

  private static func capitalized(_ sentence: String) -> String { sentence.prefix(1).uppercased() + sentence.dropFirst() }

  private static let style = """
    :root { --ink: #1c2430; --dim: #5b6675; --paper: #f7f8fa; --card: #fff; --line: #d5dae1; --accent: #1f5fbf;
    --bad: #b3261e; --on: #fff }
    @media (prefers-color-scheme: dark) {
    :root { --ink: #e6eaf0; --dim: #9aa5b4; --paper: #12161c; --card: #1a2028; --line: #35404d; --accent: #8ab4f8;
    --bad: #f2a6a0; --on: #12161c }
    }
    * { box-sizing: border-box }
    body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
    main { max-width: 38rem; margin: 0 auto; padding: 3rem 1.25rem }
    h1 { margin: 0 0 1.25rem; font-size: 1.75rem; letter-spacing: -.02em }
    h2 { margin: 2.5rem 0 .5rem; font-size: 1.1rem }
    form, .notice { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.25rem }
    .notice { border-left: .3rem solid var(--accent); padding: .75rem 1rem; overflow-wrap: anywhere }
    .problem { border-left-color: var(--bad) }
    label { display: block; margin-bottom: .25rem; font-weight: 600 }
    label span { color: var(--dim); font-weight: 400 }
    input { width: 100%; margin-bottom: 1rem; padding: .6rem .7rem; border: 1px solid var(--line); border-radius: .5rem;
    background: var(--paper); color: inherit; font: inherit }
    button { padding: .6rem 1.4rem; border: 0; border-radius: .5rem; background: var(--accent); color: var(--on); font: inherit;
    font-weight: 600; cursor: pointer }
    :focus-visible { outline: .18rem solid var(--accent); outline-offset: .12rem }
    a { color: var(--accent) }
    ul { margin: 0; padding: 0; list-style: none }
    li { padding: .6rem 0; border-top: 1px solid var(--line) }
    li span { display: block; overflow: hidden; color: var(--dim); font-size: .9rem; text-overflow: ellipsis;
    white-space: nowrap }
    footer { margin-top: 2rem; font-size: .9rem }
    """
}
