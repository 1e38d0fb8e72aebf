// What several cells need and none has stored.

import Synchronization

/// A value that is computed when it is first asked for, by whichever core asks first; the others wait.
///
/// Cells that are stored do not ask, so that a run in which nothing has changed does not compute it. An
/// error is not kept: who asks next computes again.
public final class Once<Value: Sendable>: Sendable {
  private let value = Mutex<Value?>(nil)
  private let make: @Sendable () throws -> Value

  public init(_ make: @escaping @Sendable () throws -> Value) { self.make = make }

  public func callAsFunction() throws -> Value {
    try value.withLock { value in
      if let value { return value }
      let new = try make()
      value = new
      return new
    }
  }
}
