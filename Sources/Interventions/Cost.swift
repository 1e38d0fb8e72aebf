// What a computation cost: passes through the model, time and memory.

import Glibc

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

  /// What `body` gives, with its time and the memory behind it added.
  public mutating func timed<T>(_ body: () throws -> T) rethrows -> T {
    let start = Cost.now()
    defer {
      seconds += Cost.now() - start
      peakBytes = max(peakBytes, Cost.peak())
    }
    return try body()
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
