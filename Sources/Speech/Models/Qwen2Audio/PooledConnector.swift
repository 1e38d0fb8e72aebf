// Qwen2-Audio's connector (Chu et al., 2024): pairs of encoder positions are averaged before the
// encoder's final norm, and a linear map takes them to the language model's width.

import Tensor

/// The connector of Qwen2-Audio.
struct PooledConnector: Connector {
  let projector: Projector

  let sites = [Site(.encoder, .final), Site(.connector, .out)]
  let waist = Site(.encoder, .final)

  func entering(
    _ x: Tensor, norm: LayerNorm, heard: Tensor?, in batch: inout Batch, tap: Tap?
  ) -> Tensor {
    let pooled = norm(pooledPairs(x, from: batch.encoder, to: batch.frames))
    return tap?(waist, pooled) ?? pooled
  }

  func leaving(_ x: Tensor, in batch: Batch, tap: Tap?) -> Tensor {
    let out = projector(gatherRows(x, batch.audioRows))
    return tap?(Site(.connector, .out), out) ?? out
  }

  func place(of site: Site, in batch: Batch, _ copy: Copy) -> Place? {
    switch site {
    case waist: Place(batch.frames, copy) { span(ofToken: $0, in: batch) }
    case Site(.connector, .out): Place(batch.audio, copy) { span(ofToken: $0, in: batch) }
    default: nil
    }
  }

  func span(ofToken index: Int, in batch: Batch) -> TimeSpan {
    .centred(2 * index, step: 20, count: 2)
  }
}
