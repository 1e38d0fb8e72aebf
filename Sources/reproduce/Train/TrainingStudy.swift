// Checkpoints that are trained to be compared with each other, and not shipped: the first recipe from other
// seeds, and on fewer utterances with and without a loss that aligns sound and text.

import ArgumentParser

enum TrainingStudy: String, Sendable, CaseIterable, ExpressibleByArgument {
  case seeds, sizes

  var recipes: [Recipe] {
    switch self {
    case .seeds:
      Self.otherSeeds.map { recipe("seed\($0)", .frames, seed: $0, Recipe.fromNothing) }
    case .sizes:
      Self.otherSeeds.prefix(2).flatMap { seed in
        Self.oneOf.flatMap { oneOf in
          [Auxiliary.connectionist, .nothing].map { auxiliary in
            var recipe = recipe(
              "\(auxiliary == .nothing ? "answers" : "aligned")-1of\(oneOf)-seed\(seed)", auxiliary,
              seed: seed, Self.shorter(auxiliary))
            recipe.oneOf = oneOf
            return recipe
          }
        }
      }
    }
  }

  /// The shipped checkpoint's own seed is the first.
  private static let otherSeeds: [UInt64] = [2, 3, 4]
  private static let oneOf = [16, 4, 1]

  private func recipe(
    _ what: String, _ auxiliary: Auxiliary, seed: UInt64, _ stages: [Stage]
  ) -> Recipe {
    let first = Recipe.all[0]
    return Recipe(
      name: "\(first.name)-\(what)", architecture: first.architecture, connector: first.connector,
      config: first.config, auxiliary: auxiliary, warmStart: nil, stages: stages, seed: seed,
      study: self)
  }

  /// A third of the first recipe's steps with sound, as many for either arm: where nothing but the
  /// answers teaches, they teach from the first step on.
  private static func shorter(_ auxiliary: Auxiliary) -> [Stage] {
    let alone = auxiliary == .nothing ? 0 : 300
    return Recipe.fromNothing.filter(\.isText)
      + [
        Stage(kind: .encoder, steps: alone, batch: 16, peakRate: 3e-3),
        Stage(kind: .sound, steps: 1000 - alone, batch: 16, peakRate: 2.5e-3),
        Stage(kind: .joint, steps: 1000, batch: 16, peakRate: 1e-3),
      ].filter { $0.steps > 0 }
  }
}
