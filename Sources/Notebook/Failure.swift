// How a program ends that cannot go on: one line on standard error, a status, no trace.

import Glibc
import Synchronization

/// A reason to stop, in words for the person who started the program.
public struct Failure: Error, CustomStringConvertible, Equatable {
  public let description: String

  /// The status with which the program ends: 1, or 64 where the command line was wrong.
  public let status: Int32

  public init(_ description: String, status: Int32 = 1) {
    self.description = description
    self.status = status
  }

  /// What was tried, and why the system refused it; to be called right after the refusal.
  static func system(_ attempt: String) -> Failure {
    Failure("\(attempt): \(String(cString: strerror(errno)))")
  }
}

/// What the messages of this process begin with: the experiment, or the program before there is one.
let scriptName = Mutex(
  CommandLine.arguments.first.map { String($0.split(separator: "/").last ?? "") } ?? "program")

/// Writes a text to standard error, whole, past every buffer.
public func writeToStandardError(_ text: String) {
  var bytes = Array(text.utf8)[...]
  while !bytes.isEmpty {
    let count = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { return }
    bytes = bytes.dropFirst(count)
  }
}

/// Ends the program with `experiment: message` on standard error.
public func end(with error: any Error) -> Never {
  fflush(nil)
  writeToStandardError("\(scriptName.withLock { $0 }): \(error)\n")
  exit((error as? Failure)?.status ?? 1)
}

/// Gives what `body` gives, or ends the program with its error.
///
/// For the top level of a script, where an error that nobody catches would end in a crash report.
public func attempt<T>(_ body: () throws -> T) -> T {
  do { return try body() } catch { end(with: error) }
}
