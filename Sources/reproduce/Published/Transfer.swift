// Running the programs that fetch, so that Ctrl-C ends them and leaves nothing.

import Foundation
import Notebook
import Synchronization

/// A number of a signal that asked this program to end; 0 before.
private let asked = Atomic<Int32>(0)

/// Fetching was interrupted by a signal.
struct Interrupted: Error {}

enum Transfer {
  /// From here on SIGINT and its like end a transfer with `Interrupted`, so that the caller can clean
  /// up, and no longer the program.
  static func catchSignals() {
    for number in [SIGINT, SIGTERM, SIGHUP] {
      signal(number) { asked.store($0, ordering: .relaxed) }
    }
  }

  static func checkInterruption() throws {
    if asked.load(ordering: .relaxed) != 0 { throw Interrupted() }
  }

  /// Ends the program as the signal would have.
  static func endInterrupted() -> Never {
    let number = asked.load(ordering: .relaxed)
    FileHandle.standardError.write(
      Data("reproduce: interrupted; nothing was left, run `make published` again\n".utf8))
    signal(number, SIG_DFL)
    raise(number)
    exit(128 + number)
  }

  /// Runs a program to its end.
  ///
  /// - Parameters:
  ///   - output: takes what it writes, where given
  ///   - progress: called a few times a second
  /// - Returns: the last line that it wrote as an error, nil where it ended well.
  static func run(
    _ program: URL, _ arguments: [String], environment: [String: String] = [:],
    output: FileHandle? = nil, progress: () -> Void
  ) throws -> String? {
    try checkInterruption()
    let process = Process()
    process.executableURL = program
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output ?? FileHandle.nullDevice
    let errors = FileManager.default.temporaryDirectory.appendingPathComponent(
      "fetch-\(UUID().uuidString)")
    _ = FileManager.default.createFile(atPath: errors.path, contents: nil)
    defer { try? FileManager.default.removeItem(at: errors) }
    let sink = try FileHandle(forWritingTo: errors)
    defer { try? sink.close() }
    process.standardError = sink
    try process.run()
    while process.isRunning {
      usleep(50_000)
      progress()
      if asked.load(ordering: .relaxed) != 0 { process.terminate() }
    }
    process.waitUntilExit()
    try checkInterruption()
    guard process.terminationStatus != 0 else { return nil }
    let lines = ((try? String(contentsOf: errors, encoding: .utf8)) ?? "").split(separator: "\n")
    let last = lines.last { !$0.allSatisfy(\.isWhitespace) }
    return last.map(String.init) ?? "exit status \(process.terminationStatus)"
  }
}
