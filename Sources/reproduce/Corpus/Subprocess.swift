// Running another program and saying clearly when it cannot be run.

import Foundation

enum Subprocess {
  /// Where a program lies, from PATH; an error that names its Debian package where it is absent.
  static func locate(_ program: String, package: String) throws -> URL {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    for folder in path.split(separator: ":") {
      let candidate = "\(folder)/\(program)"
      if FileManager.default.isExecutableFile(atPath: candidate) {
        return URL(fileURLWithPath: candidate)
      }
    }
    throw CorpusError("\(program) is not installed: apt-get install \(package)")
  }

  /// Runs to the end, in `folder` if given, and gives what it wrote to standard output.
  @discardableResult
  static func run(
    _ program: URL, _ arguments: [String], in folder: URL? = nil, failure: String
  ) throws -> String {
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    if let folder { process.currentDirectoryURL = folder }
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw CorpusError("\(failure) (exit status \(process.terminationStatus))")
    }
    return String(decoding: data, as: UTF8.self)
  }

  /// The installed version of a Debian package, or "unknown".
  static func version(of package: String) -> String {
    let query = URL(fileURLWithPath: "/usr/bin/dpkg-query")
    let version = try? run(query, ["-W", "-f", "${Version}", package], failure: package)
    return version ?? "unknown"
  }
}
