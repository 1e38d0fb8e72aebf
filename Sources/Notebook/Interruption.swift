// Ctrl-C and a polite kill: no temporary file stays, and one line says what to do next.

import Dispatch
import Glibc
import Synchronization

/// Watches for SIGINT, SIGTERM and SIGHUP from the first notebook of the process on.
///
/// Cells need no help to survive a signal (their journals survive kill -9); this removes the
/// temporary files of outputs, ends the line of progress, and dies of the same signal.
enum Interruption {
  private static let advice = Mutex("interrupted")

  static func watch(resumable: Bool) {
    if resumable {
      advice.withLock { $0 = "interrupted; what is done is stored, run again to resume" }
    }
    _ = sources
  }

  private static let signals = [SIGINT, SIGTERM, SIGHUP].filter { !isIgnored($0) }

  /// Kept so that they go on; nobody touches them again.
  private nonisolated(unsafe) static let sources = signals.map { number in
    // A queue of its own: the cells may keep all shared threads busy.
    let queue = DispatchQueue(label: "interruption")
    let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
    source.setEventHandler {
      TemporaryFiles.removeAll {
        Progress.clearLine()
        fflush(nil)
        writeToStandardError("\(scriptName.withLock { $0 }): \(advice.withLock { $0 })\n")
        signal(number, SIG_DFL)
        kill(getpid(), number)
        sleep(1)
        _exit(128 + number)
      }
    }
    // Not before the source listens: until then the signal ends the program by itself.
    source.setRegistrationHandler { signal(number, SIG_IGN) }
    source.resume()
    return source
  }

  /// Whether whoever started the program (`nohup`, a script's `&`) wants the signal ignored.
  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    let handler = action.__sigaction_handler.sa_handler
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
