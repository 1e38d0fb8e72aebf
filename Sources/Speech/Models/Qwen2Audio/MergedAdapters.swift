// Low-rank adapters beside a language model's queries and values, as they are trained, and merged, as a
// file holds them.

import Tensor

extension Qwen2AudioConfig {
  /// Adapters before any training: the first factor drawn, the second zero, so that they begin by adding
  /// nothing (Hu et al., 2022).
  public func drawnAdapters(_ random: Random) -> Parameters {
    let shapes = parameterShapes.filter { $0.key.contains(".lora_") }
    return Parameters(
      uniqueKeysWithValues: shapes.sorted { $0.key < $1.key }.map { name, shape in
        name.contains(".lora_B")
          ? (name, Tensor(shape))
          : (
            name,
            Tensor(shape, normal: (1 / Double(shape[1])).squareRoot(), random.split(name))
          )
      })
  }

  /// The projections to queries and values with what adapters add to them, by name.
  ///
  /// - Parameters:
  ///   - adapters: both factors of every adapter
  ///   - weights: those of the language model
  public func merged(_ adapters: Parameters, into weights: Weights) -> Parameters {
    guard let lowRank else { return [:] }
    let merged = adapters.keys.filter { $0.contains(".lora_A") }.map { name in
      let projection = name.replacing(".lora_A.default", with: "")
      let down = adapters[name]!
      let up = adapters[name.replacing(".lora_A", with: ".lora_B")]!
      let columns = Tensor(
        [down.width, down.rows],
        (0..<down.width).flatMap { j in (0..<down.rows).map { down[$0, j] } })
      return (projection, weights.named(projection) + linear(up, columns) * lowRank.scale)
    }
    return Parameters(uniqueKeysWithValues: merged)
  }
}
