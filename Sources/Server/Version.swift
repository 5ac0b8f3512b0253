/// The version of this program, by semantic versioning (semver.org). Formats on disk and wire carry versions of their own.
enum Version {
  static let text = "0.1.0"
}
