// The ceiling: how fast this machine multiplies matrices with nothing else to do.

import Dispatch

/// Floating-point operations a second of Float32 matrix products, one on each of two threads at a
/// time; the best of several rounds.
public func productRate(rounds: Int = 5) -> Double {
  let size = 1536
  let (a, b) = (Tensor([size, size], repeating: 1), Tensor([size, size], repeating: 0.5))
  let outs = [Tensor([size, size]), Tensor([size, size])]
  var best = 0.0
  for _ in 0..<rounds {
    let start = DispatchTime.now().uptimeNanoseconds
    inParallel(2) { i in
      BLAS.productTransposed(
        size, size, size, a.start, size, b.start, size, outs[i].start, size)
    }
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    best = max(best, 2 * 2 * Double(size * size * size) / seconds)
  }
  return best
}
