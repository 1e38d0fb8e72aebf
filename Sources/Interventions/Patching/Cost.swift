// What a computation cost: passes through the model, time and memory.

import Glibc
import Synchronization

/// Passes through the model, time and memory, added up.
public struct Cost: Codable, Hashable, Sendable {
  /// Runs of the model, resumed ones included, and passes back.
  public var forwards = 0.0
  public var backwards = 0.0
  public var seconds = 0.0
  /// The most memory that the process had so far, in bytes.
  public var peakBytes = 0

  public init() {}

  public static func + (a: Cost, b: Cost) -> Cost {
    var sum = a
    sum.forwards += b.forwards
    sum.backwards += b.backwards
    sum.seconds += b.seconds
    sum.peakBytes = max(a.peakBytes, b.peakBytes)
    return sum
  }

  /// What `body` gives, and its time and the memory behind it.
  public static func timed<T>(_ body: () throws -> T) rethrows -> (value: T, cost: Cost) {
    let start = Cost.now()
    let value = try body()
    var cost = Cost()
    cost.seconds = Cost.now() - start
    cost.peakBytes = Cost.peak()
    return (value, cost)
  }

  /// Seconds on a clock that nobody sets.
  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }

  private static func peak() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }
}

/// Counts passes where many are made at once.
public final class PassCounter: Sendable {
  private let counts = Mutex((forwards: 0.0, backwards: 0.0))

  public init() {}

  public func add(forwards: Int, backwards: Int = 0) {
    counts.withLock {
      $0.forwards += Double(forwards)
      $0.backwards += Double(backwards)
    }
  }

  /// The passes so far, without their time.
  public var cost: Cost {
    var cost = Cost()
    (cost.forwards, cost.backwards) = counts.withLock { ($0.forwards, $0.backwards) }
    return cost
  }
}
