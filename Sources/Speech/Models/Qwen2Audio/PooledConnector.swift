// Qwen2-Audio's connector (Chu et al., 2024): pairs of encoder positions are averaged before the
// encoder's final norm, and a linear map takes them to the language model's width.

import Tensor

/// The connector of Qwen2-Audio.
struct PooledConnector: Connector {
  let projection: Linear

  let sites = [Site(.encoder, .final), Site(.connector, .out)]

  func callAsFunction(_ x: Tensor, norm: LayerNorm, in batch: inout Batch, tap: Tap?) -> Tensor {
    func at(_ site: Site, _ value: Tensor) -> Tensor { tap?(site, value) ?? value }
    let pooled = pooledPairs(x, from: batch.encoder, to: batch.frames)
    let final = at(Site(.encoder, .final), norm(pooled))
    return at(Site(.connector, .out), projection(gatherRows(final, batch.audioRows)))
  }

  func place(of site: Site, in batch: Batch) -> Place? {
    switch site {
    case Site(.encoder, .final): Place(batch.frames) { span(ofToken: $0, in: batch) }
    case Site(.connector, .out): Place(batch.audio) { span(ofToken: $0, in: batch) }
    default: nil
    }
  }

  func span(ofToken index: Int, in batch: Batch) -> TimeSpan {
    .centred(2 * index, step: 20, count: 2)
  }
}
