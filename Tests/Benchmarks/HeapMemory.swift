#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What the process has in memory and uses.
enum HeapMemory {
  static func bytes() throws -> Int {
    #if canImport(Glibc)
      // What is free goes back to the system first. Swift is not shown the header that declares this.
      typealias Trim = @convention(c) (Int) -> Int32
      if let symbol = dlsym(nil, "malloc_trim") { _ = unsafeBitCast(symbol, to: Trim.self)(0) }
      guard let file = fopen("/proc/self/statm", "r") else { throw WrongResult("/proc/self/statm cannot be read") }
      defer { fclose(file) }
      var text = [CChar](repeating: 0, count: 200)
      guard fgets(&text, 200, file) != nil else { throw WrongResult("/proc/self/statm is empty") }
      let fields = String(decoding: text.prefix { $0 > 0 }.map { UInt8($0) }, as: UTF8.self).split(separator: " ")
      guard fields.count > 1, let pages = Int(fields[1]) else { throw WrongResult("/proc/self/statm says something else") }
      return pages * sysconf(Int32(_SC_PAGESIZE))
    #elseif canImport(Darwin)
      return Int(mstats().bytes_used)
    #endif
  }
}
