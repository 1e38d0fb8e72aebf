// One line of progress a cell, on standard error.

import Glibc
import Synchronization

/// The progress of one cell. On a terminal its line is rewritten in place; elsewhere it appears
/// once, at the end; with `QUIET=1` never.
final class Progress: Sendable {
  private struct State {
    var done: Int
    var lastShown: Double?
    var isOver = false
  }

  private let name: String
  private let total: Int
  private let resumed: Int
  private let started = now()
  private let state: Mutex<State>

  init(_ name: String, total: Int, resumed: Int) {
    self.name = name
    self.total = total
    self.resumed = resumed
    state = Mutex(State(done: resumed))
    show(isLast: false)
  }

  /// Counts an item; called from any thread.
  func advance() {
    state.withLock { $0.done += 1 }
    show(isLast: false)
  }

  /// Shows the line for good, and gives the seconds that the cell took.
  func finish() -> Double {
    show(isLast: true)
    return now() - started
  }

  /// Clears the line where the cell did not come to its end.
  func stop() {
    if !state.withLock({ $0.isOver }) { Progress.clearLine() }
  }

  private func show(isLast: Bool) {
    guard !Progress.isQuiet, isLast || Progress.isTerminal else { return }
    state.withLock { state in
      let time = now()
      if !isLast, let last = state.lastShown, time - last < 0.1 { return }
      state.lastShown = time
      state.isOver = isLast
      let line = text(done: state.done, seconds: time - started, isLast: isLast)
      if Progress.isTerminal {
        let width = Progress.terminalWidth
        writeToStandardError("\r\(line.prefix(width - 1))\u{1B}[K" + (isLast ? "\n" : ""))
      } else {
        writeToStandardError(line + "\n")
      }
    }
  }

  private func text(done: Int, seconds: Double, isLast: Bool) -> String {
    var parts = ["\(name)  \(done)/\(total)", duration(seconds)]
    if !isLast && done > resumed {
      let remaining = seconds / Double(done - resumed) * Double(total - done)
      parts.append("about \(duration(remaining)) left")
    }
    if resumed > 0 { parts.append("resumed \(resumed)") }
    return parts.joined(separator: "  ")
  }

  /// Clears the line of a cell that was interrupted or failed.
  static func clearLine() {
    if !isQuiet && isTerminal { writeToStandardError("\r\u{1B}[K") }
  }

  private static let isTerminal = isatty(STDERR_FILENO) != 0
  private static let isQuiet = environment("QUIET").map { $0 != "0" } ?? false

  private static var terminalWidth: Int {
    var size = winsize()
    let known = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1
    return known ? Int(size.ws_col) : 80
  }
}

/// Seconds on a clock that nobody sets.
func now() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// A variable of the environment, or nil where it is unset or empty.
func environment(_ name: String) -> String? {
  guard let value = getenv(name), value.pointee != 0 else { return nil }
  return String(cString: value)
}

/// `9.3 s`, `4 min 05 s` or `2 h 07 min`.
func duration(_ seconds: Double) -> String {
  if seconds < 59.95 { return fixed(seconds, decimals: 1) + " s" }
  let whole = Int(seconds.rounded())
  func twoDigits(_ n: Int) -> String { n < 10 ? "0\(n)" : "\(n)" }
  if whole < 3600 { return "\(whole / 60) min \(twoDigits(whole % 60)) s" }
  return "\(whole / 3600) h \(twoDigits(whole / 60 % 60)) min"
}

/// A number with so many digits after the point, rounded as `printf` rounds; never `-0`.
func fixed(_ value: Double, decimals: Int) -> String {
  let text = withVaList([Int32(decimals), value]) { arguments in
    var buffer = [CChar](repeating: 0, count: 400)
    let count = vsnprintf(&buffer, buffer.count, "%.*f", arguments)
    return String(decoding: buffer[..<Int(count)].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
  return text.hasPrefix("-") && !text.contains(where: { ("1"..."9").contains($0) })
    ? String(text.dropFirst()) : text
}
