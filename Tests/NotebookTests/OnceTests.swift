// A value that several cells need is computed once, and only if one asks.

import Dispatch
import Notebook
import Synchronization
import Testing

@Suite struct OnceTests {
  @Test func itIsComputedOnceByWhoAsksFirst() throws {
    let calls = Mutex(0)
    let once = Once { () -> Int in
      calls.withLock {
        $0 += 1
        return 40 + $0
      }
    }
    #expect(calls.withLock { $0 } == 0)
    let found = Mutex<[Int]>([])
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      let value = try? once()
      found.withLock { $0.append(value ?? 0) }
    }
    #expect(found.withLock { $0 } == [Int](repeating: 41, count: 8))
  }

  @Test func anErrorIsNotKept() throws {
    struct Missing: Error {}
    let calls = Mutex(0)
    let once = Once { () throws -> Int in
      let call = calls.withLock {
        $0 += 1
        return $0
      }
      guard call > 1 else { throw Missing() }
      return call
    }
    #expect(throws: Missing.self) { try once() }
    #expect(try once() == 2 && once() == 2)
  }
}
