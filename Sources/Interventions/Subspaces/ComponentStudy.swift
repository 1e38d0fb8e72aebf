// One kind of components at one site: their number is chosen on the validation split by the rule, and what
// they are worth is read on the test split in both directions, beside orders and moves that are matched
// to them (`paper/definitions.md`, D113).

import Tensor

/// Pairs that components are judged on, in both directions.
public struct HeldPairs: Sendable {
  public let sufficiency: [Exchange]
  public let necessity: [Exchange]

  public init(sufficiency: [Exchange], necessity: [Exchange]) {
    (self.sufficiency, self.necessity) = (sufficiency, necessity)
  }
}

/// A method's components: in an order, of which the first K are taken, or trained for each K by itself.
public struct Components: Sendable {
  public let method: String
  /// All of them, of the largest K where they are trained.
  public let all: Subspace
  public let sizes: [Int]
  private let trained: [Int: Subspace]

  /// - Parameter sizes: rising; those above the number of components are left out
  public init(_ method: String, _ all: Subspace, sizes: [Int]) {
    (self.method, self.all, trained) = (method, all, [:])
    self.sizes = sizes.filter { $0 <= all.rank }
  }

  /// - Parameter trained: by K, one at least
  public init(_ method: String, trained: [Int: Subspace]) {
    (self.method, self.trained) = (method, trained)
    sizes = trained.keys.sorted()
    all = trained[sizes[sizes.count - 1]]!
  }

  public func first(_ size: Int) throws -> Subspace { try trained[size] ?? all.first(size) }
}

/// What a method's components recover.
public struct ComponentCurve: Codable, Sendable {
  public let method: String
  /// How many components the method has, of how many numbers.
  public let components: Int
  public let width: Int
  /// The K that are tried.
  public let sizes: [Int]
  /// K* on the validation split, with what it comes to on the test split; and how often each K is chosen
  /// when the validation split's groups are drawn again.
  public let choice: SizeReport
  public let stability: [Double]
  /// On the test split, by K and of the whole site.
  public let sufficiency: [Estimate]
  public let necessity: [Estimate]
  public let fullSufficiency: Estimate
  public let fullNecessity: Estimate
  /// The normalised area under the curve of sufficiency.
  public let area: Estimate
  /// The smallest K that reaches nine tenths of the whole site on the test split; nil where none does.
  public let k90: Int?

  public var size: Int { choice.chosen.size }
}

extension Components {
  /// The curve of these components.
  ///
  /// - Parameters:
  ///   - share: of the whole site's recovery that K* has to reach
  ///   - draws: bootstrap samples
  public func curve(
    validation: [Exchange], test: HeldPairs, share: Double, draws: Int, _ random: Random
  ) throws -> ComponentCurve {
    let rule = try SelectionRule(sizes: sizes, share: share)
    let bySize = try sizes.map(first)
    func effects(_ pairs: [Exchange]) throws -> [SizeEffects] {
      try pairs.sizeEffects(sizes.count) { bySize[$1].projection(of: $0.difference) }
    }
    let held = try effects(validation)
    let choice = rule.choice(from: held)
    let sufficient = try effects(test.sufficiency)
    let estimates = sufficient.estimates(draws: draws, random.split("sufficiency"))
    let needed = try effects(test.necessity).estimates(draws: draws, random.split("necessity"))
    let curve = SaturationCurve(counts: sizes, recoveries: sufficient.recoveries)
    return ComponentCurve(
      method: method, components: all.rank, width: all.width, sizes: sizes,
      choice: rule.report(choice, on: sufficient, draws: draws, random.split("choice")),
      stability: rule.stability(of: held, random.split("stability")),
      sufficiency: estimates.sizes, necessity: needed.sizes, fullSufficiency: estimates.full,
      fullNecessity: needed.full,
      area: sufficient.area(over: nil, sizes: sizes, draws: draws, random.split("area")),
      k90: curve.smallestCount(reaching: share, of: estimates.full.value))
  }
}

extension [ComponentCurve] {
  /// The method whose rule is met with the fewest components on the validation split, the first of equals;
  /// where none meets it, that with the largest recovery there.
  public var best: ComponentCurve? {
    let reaching = filter(\.choice.chosen.reached)
    if let fewest = reaching.map(\.size).min() { return reaching.first { $0.size == fewest } }
    func held(_ curve: ComponentCurve) -> Double {
      curve.choice.chosen.recoveries[curve.choice.chosen.index]
    }
    return self.max { held($0) < held($1) }
  }
}

/// What is matched to a method's components, on the test split.
public struct ComponentControls: Codable, Sendable {
  /// Recoveries by K of components in the reverse order, and the mean over random orders and over random
  /// directions whose move has the length of the real one.
  public let reversed: [Double]
  public let shuffled: [Double]
  public let norm: [Double]
  /// How much larger the normalised area is than under the last two.
  public let overShuffled: Estimate
  public let overNorm: Estimate
  /// At K*, with the complement, another item's source, the random families and the divergence.
  public let chosen: SubspaceResult
  /// Recovery of everything but the first K* components, in the direction of necessity.
  public let complementNecessity: Double
  /// The cut of the first K* components by what is read behind the site.
  public let illusion: IllusionCheck
}

extension SubspaceStudy {
  /// The controls of components whose number has been chosen.
  ///
  /// - Parameters:
  ///   - size: K*
  ///   - readers: what is read behind the site
  ///   - orders: random orders of components
  ///   - families: draws of each random family
  public func controls(
    of components: Components, size: Int, readers: ReaderSpace, test: HeldPairs, orders: Int,
    families: Int, draws: Int, _ random: Random
  ) throws -> ComponentControls {
    let (all, sizes) = (components.all, components.sizes)
    let bySize = try sizes.map(components.first)
    let ranked = try test.sufficiency.sizeEffects(sizes.count) {
      bySize[$1].projection(of: $0.difference)
    }
    func ordered(_ order: [Int]) throws -> [SizeEffects] {
      let bySize = sizes.map { all.selecting(Array(order[..<$0])) }
      return try test.sufficiency.sizeEffects(sizes.count) {
        bySize[$1].projection(of: $0.difference)
      }
    }
    let shuffled = [SizeEffects].mean(
      of: try (0..<orders).map { draw in
        var stream = random.split("orders").split(draw)
        return try ordered(stream.permutation(all.rank))
      })
    let matched = bySize.map { RandomMoves(matching: $0, natural: natural) }
    let norm = [SizeEffects].mean(
      of: try (0..<families).map { draw in
        let directions = try matched.indices.map {
          try matched[$0].directions(.norm, random.split("norm").split(draw).split($0))
        }
        return try test.sufficiency.sizeEffects(sizes.count) { pair, size in
          matched[size].move(
            .norm, along: directions[size], from: DoubleMatrix(pair.base),
            to: DoubleMatrix(pair.source))
        }
      })
    let subspace = try components.first(size)
    return ComponentControls(
      reversed: try ordered((0..<all.rank).reversed()).recoveries, shuffled: shuffled.recoveries,
      norm: norm.recoveries,
      overShuffled: ranked.area(
        over: shuffled, sizes: sizes, draws: draws, random.split("over shuffled")),
      overNorm: ranked.area(over: norm, sizes: sizes, draws: draws, random.split("over norm")),
      chosen: try test.sufficiency.result(
        of: subspace, natural: natural, reference: samples, draws: families, bootstrap: draws,
        random.split("chosen")),
      complementNecessity: try test.necessity.effects(of: {
        subspace.move(.complement, from: DoubleMatrix($0.base), to: DoubleMatrix($0.source))
      }).recovery,
      illusion: try illusion(readers, subspace, test.sufficiency))
  }
}
