// How much is multiplied: for a forecast of what a run takes, and for its distance from the ceiling.

import Synchronization

/// Counts the operations of Float32 matrix products, two for each multiplication that is added.
public enum Arithmetic {
  private static let isCounted = Atomic(false)
  private static let operations = Atomic(0)

  /// What `body` gives, and the operations of all products of the process meanwhile.
  ///
  /// - Precondition: not within another count
  public static func counted<T>(_ body: () throws -> T) rethrows -> (value: T, operations: Double) {
    precondition(!isCounted.load(ordering: .relaxed))
    operations.store(0, ordering: .relaxed)
    isCounted.store(true, ordering: .relaxed)
    defer { isCounted.store(false, ordering: .relaxed) }
    let value = try body()
    return (value, Double(operations.load(ordering: .relaxed)))
  }

  @inline(__always)
  static func add(_ m: Int, _ n: Int, _ k: Int) {
    guard isCounted.load(ordering: .relaxed) else { return }
    operations.add(2 * m * n * k, ordering: .relaxed)
  }
}
