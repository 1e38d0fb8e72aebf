// The controls of a trained subspace: where classes are read, training for the true answers succeeds,
// and the same training fails for permuted answers and where activations know nothing of the classes.

import Interventions
import Tensor
import Testing

/// Eight classes along directions of their own in the first eight of twelve dimensions.
private struct Classes {
  private let count = 8
  private let width = 12

  /// Pairs of neighbouring classes in both directions.
  ///
  /// - Parameter isLearnt: whether activations lie at their class, or are noise alone
  func pairs(_ number: Int, seed: UInt64, isLearnt: Bool) -> [Exchange] {
    let random = Random(seed: seed)
    let readers = (0..<count * width).map { $0 / width == $0 % width ? 1 as Float : 0 }
    let weight = Tensor([count, width], readers)
    let logits: @Sendable (Tensor) -> Tensor = { linear($0, weight) }
    return (0..<number).map { i in
      let (a, b) = (i % count, (i % count) ^ 1)
      func run(_ c: Int, _ name: String) -> Tensor {
        var numbers = Tensor([1, width], normal: 0.3, random.split("\(i) \(name)")).numbers
        if isLearnt { numbers[c] += 4 }
        return Tensor([1, width], numbers)
      }
      let (base, source) = (run(b, "base"), run(a, "source"))
      return Exchange(
        id: "\(i)", group: "\(i)", answer: a, foil: b, base: base, source: source,
        baseLogits: logits(base).numbers, sourceLogits: logits(source).numbers
      ) { variants in joiningRows(variants.map { logits($0) }) }
    }
  }
}

@Suite struct AlignmentControlTests {
  @Test func onlyTrueAnswersOfATrainedModelFollow() throws {
    let classes = Classes()
    let (fit, test) = (
      classes.pairs(64, seed: 1, isLearnt: true), classes.pairs(32, seed: 2, isLearnt: true)
    )
    let study = try SubspaceStudy(fit: fit)
    let random = Random(seed: 3)
    let subspace = try study.subspace(.das, rank: 4, random)
    let untrained = UntrainedPairs(
      fit: classes.pairs(64, seed: 1, isLearnt: false),
      test: classes.pairs(32, seed: 2, isLearnt: false))
    let found = try study.alignmentControls(
      of: subspace, on: test, untrained: untrained, random)
    #expect(found.k == 4 && found.real.held > 0.9 && found.real.fitted > 0.9)
    let (arbitrary, lost) = (try #require(found.arbitrary), try #require(found.untrained))
    #expect(arbitrary.held < 0.3 && arbitrary.fitted < 0.3, "\(arbitrary)")
    #expect(lost.held < 0.4 && lost.fitted < 0.6, "\(lost)")
    #expect(found.arbitraryRecovery != nil)
    let alone = try study.alignmentControls(of: subspace, on: test, untrained: nil, random)
    #expect(alone.untrained == nil && alone.real == found.real && alone.arbitrary == arbitrary)
  }

  /// Two answers can only be exchanged, and the other is what the base says without a patch.
  @Test func labelsAreNeverTheBasesOwn() throws {
    let classes = Classes()
    let pairs = classes.pairs(40, seed: 1, isLearnt: true)
    for seed in 0..<20 {
      let labels = try arbitraryLabels(
        pairs.map(\.answer), foils: pairs.map(\.foil), Random(seed: UInt64(seed)))
      #expect(zip(pairs, labels).allSatisfy { $0.answer != $1 && $0.foil != $1 })
      #expect(Set(labels) == Set(pairs.map(\.answer)))
    }
    #expect(throws: SubspaceError.self) {
      try arbitraryLabels([0, 1], foils: [1, 0], Random(seed: 1))
    }
    let two = pairs.filter { $0.answer < 2 }
    let study = try SubspaceStudy(fit: two)
    let found = try study.alignmentControls(
      of: try study.subspace(.das, rank: 1, Random(seed: 1)), on: two, untrained: nil,
      Random(seed: 1))
    #expect(found.arbitrary == nil && found.arbitraryRecovery == nil)
  }

  @Test func passesAreCounted() throws {
    let counter = PassCounter()
    let pair = Classes().pairs(1, seed: 1, isLearnt: true)[0].counted(by: counter)
    _ = try pair.continued([pair.base, pair.source])
    #expect(counter.cost.forwards == 2 && counter.cost.backwards == 0)
    _ = try pair.gradient()
    #expect(counter.cost.forwards == 3 && counter.cost.backwards == 1)
  }
}
