/// Why a link, a row or an answer was refused. Nothing was changed. The description says which rule was broken and what to do about it.
public enum LinkError: Error, Hashable, Sendable {
  /// The short name breaks a rule of `Slug`. The same request fails again.
  case slug(SlugRule)
  /// The address breaks a rule of `Target`. The same request fails again.
  case target(TargetRule)
  /// A row of a CSV file cannot be read as a link. The rows around it are not affected.
  case row(RowRule)
  /// There is such a link already, with another target.
  case taken(Slug)
  /// There is no such link.
  case missing(Slug)
  /// The link was changed by another client since it was read. Read it again, and decide again.
  case changed(Slug)
  /// What is stored under this key is not of the format in `Docs/Links.md`: written by something else, or by a later version.
  case damaged(key: String)
  /// The answer does not fit the request: the store is of another version, or faulty.
  case unexpectedAnswer
}

public enum SlugRule: Hashable, Sendable {
  case empty
  case tooLong(bytes: Int)
  case character(offset: Int)
  /// It begins with an underscore, as the service's own paths do.
  case reserved
  /// It begins with a hyphen.
  case leadingHyphen
}

public enum TargetRule: Hashable, Sendable {
  case empty
  case tooLong(bytes: Int)
  /// A control character, a space, or one of `"`, `<`, `>`, `\` and the backquote.
  case character(offset: Int)
  case notASCII(offset: Int)
  /// Not absolute, or of another scheme than http and https.
  case scheme
  case noHost
  /// `user:password@`, which makes an address look like another.
  case userInformation
  case hostName
  case ipv4
  case ipv6
  case port
}

public enum RowRule: Hashable, Sendable {
  /// A quotation mark within a field that does not begin with one.
  case strayQuote
  /// Something other than a comma or the end of the line after a closing quotation mark.
  case afterQuote
  /// The file ends within a quoted field.
  case openQuote
  /// A carriage return that no line feed follows, outside quotation marks.
  case carriageReturn
  case notUTF8
  case tooLong(maximumBytes: Int)
  case tooManyFields(maximum: Int)
  /// The first line is not `slug,target` with, if at all, `visits` and `created`.
  case header
  /// It is no CSV file in UTF-8.
  case otherFile(OtherFile)
  case fieldCount(expected: Int)
  /// Not a plain decimal number of the column's range.
  case number(column: String)
}

extension LinkError: CustomStringConvertible {
  /// A stable word for programs; the description is for people.
  public var code: String {
    switch self {
    case .slug: "bad-slug"
    case .target: "bad-target"
    case .row: "bad-row"
    case .taken: "slug-taken"
    case .missing: "not-found"
    case .changed: "changed"
    case .damaged: "damaged"
    case .unexpectedAnswer: "unexpected-answer"
    }
  }

  public var description: String {
    switch self {
    case .slug(let rule): rule.description
    case .target(let rule): rule.description
    case .row(let rule): rule.description
    case .taken(let slug): "“\(slug)” leads somewhere else already: choose another short name, or edit that link"
    case .missing(let slug): "there is no link “\(slug)”"
    case .changed(let slug): "“\(slug)” was changed in the meantime: read it again, then repeat the change"
    case .damaged(let key): "what is stored under “\(key)” is not readable as a link: it was written by another program or a later version"
    case .unexpectedAnswer: "the store's answer does not fit the request: are all nodes of the same version?"
    }
  }
}

extension SlugRule: CustomStringConvertible {
  public var description: String {
    switch self {
    case .empty: "the short name is empty: give 1 to \(Slug.maximumBytes) letters, digits, hyphens or underscores"
    case .tooLong(let bytes): "the short name has \(bytes) bytes: at most \(Slug.maximumBytes) are allowed"
    case .character(let offset): "the short name may hold only A-Z, a-z, 0-9, hyphen and underscore; byte \(offset + 1) is something else"
    case .reserved: "short names that begin with an underscore are the service's own: begin with a letter or a digit"
    case .leadingHyphen: "a short name must not begin with a hyphen: begin with a letter or a digit"
    }
  }
}

extension TargetRule: CustomStringConvertible {
  public var description: String {
    switch self {
    case .empty: "the target is empty: give an address that begins with https:// or http://"
    case .tooLong(let bytes): "the target has \(bytes) bytes: at most \(Target.maximumBytes) are allowed"
    case .character(let offset): "byte \(offset + 1) of the target is not allowed in an address: percent-encode it (a space is %20)"
    case .notASCII(let offset):
      "byte \(offset + 1) of the target is not ASCII: percent-encode paths (ö is %C3%B6), and write international names as xn--…"
    case .scheme: "the target must be an absolute address that begins with https:// or http://"
    case .noHost: "the target has no host: write https://host/path"
    case .userInformation: "the target must not hold a user or password before an @: it makes an address look like another"
    case .hostName: "the target's host is not a valid name: labels of 1 to 63 letters, digits or inner hyphens, 253 bytes in all"
    case .ipv4: "the target's host ends in a number, so it must be an IPv4 address of four decimal numbers from 0 to 255"
    case .ipv6: "the target's host in brackets is not a valid IPv6 address"
    case .port: "the target's port must be a number from 1 to 65535, or left out with its colon"
    }
  }
}

extension RowRule: CustomStringConvertible {
  public var description: String {
    switch self {
    case .strayQuote: "a quotation mark stands within an unquoted field: quote the whole field, and double the marks within"
    case .afterQuote: "something follows a closing quotation mark: double the quotation marks within a quoted field"
    case .openQuote: "the file ends within a quoted field: a closing quotation mark is missing"
    case .carriageReturn: "a carriage return is not followed by a line feed: end lines with CRLF or LF"
    case .notUTF8: "the row is not UTF-8: save the file as UTF-8"
    case .tooLong(let maximum): "the row has more than \(maximum) bytes: is a closing quotation mark or an end of line missing?"
    case .tooManyFields(let maximum): "the row has more than \(maximum) fields"
    case .otherFile(let kind): kind.description
    case .header: "the first line must name the columns: slug,target and, if wanted, visits and created"
    case .fieldCount(let expected): "the row must have \(expected) fields, as the first line has"
    case .number(let column): "the column “\(column)” must hold a plain decimal number"
    }
  }
}
