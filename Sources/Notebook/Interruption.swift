// Ctrl-C and a polite kill: no temporary file stays, and one line says what to do next.

import Glibc
import Synchronization

/// Watches for SIGINT, SIGTERM and SIGHUP from the first notebook of the process on.
///
/// Cells need no help to survive a signal (their journals survive kill -9); this removes the
/// temporary files of outputs, ends the line of progress, and dies of the same signal.
enum Interruption {
  /// What to say.
  private static let advice = Mutex("interrupted")

  /// The signal handler writes the signal's number to one end, and a thread of ours, which may do
  /// what a handler may not, reads it from the other.
  private static let ends: (read: Int32, write: Int32) = {
    var ends: [Int32] = [-1, -1]
    return pipe(&ends) == 0 ? (ends[0], ends[1]) : (-1, -1)
  }()

  /// Whether the thread is there. Where the memory for it cannot be had, signals end the program as
  /// ever; a queue of the dispatch library would wait for it for ever.
  private static let isWatching: Bool = {
    guard ends.read >= 0 else { return false }
    var (thread, attributes) = (pthread_t(), pthread_attr_t())
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, 1 << 19)
    let failure = pthread_create(
      &thread, &attributes,
      { _ in
        var number: UInt8 = 0
        while read(Interruption.ends.read, &number, 1) != 1 {}
        Interruption.die(of: Int32(number))
      }, nil)
    guard failure == 0 else { return false }
    for number in [SIGINT, SIGTERM, SIGHUP] where !isIgnored(number) {
      signal(number) { number in
        var byte = UInt8(number)
        _ = write(Interruption.ends.write, &byte, 1)
      }
    }
    return true
  }()

  static func watch(resumable: Bool) {
    if resumable {
      advice.withLock { $0 = "interrupted; what is done is stored, run again to resume" }
    }
    _ = isWatching
  }

  private static func die(of number: Int32) -> Never {
    TemporaryFiles.removeAll {
      Progress.clearLine()
      fflush(nil)
      let name = scriptName.withLock { $0 }
      writeToStandardError("\(name): \(advice.withLock { $0 })\n")
      signal(number, SIG_DFL)
      kill(getpid(), number)
      sleep(1)
      _exit(128 + number)
    }
  }

  /// Whether whoever started the program (`nohup`, a script's `&`) wants the signal ignored.
  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    let handler = action.__sigaction_handler.sa_handler
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}
