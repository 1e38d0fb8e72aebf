// Exchanges on a small model: their runs are the engine's, their gradients those of the runs; and
// alignment search on toys whose direction is known.

import Interventions
import Speech
import Tensor
import Testing

@Suite struct ExchangeTests {
  private func exchange(
    _ small: Small, _ site: Site, _ positions: [Int], index: Int? = nil
  ) throws -> (
    exchange: Exchange, base: Trace, source: Trace
  ) {
    let base = try small.model.trace(small.question, keeping: [site])
    let source = try small.model.trace(small.source, keeping: [site])
    let window = Window.positions(positions[0], positions.last! + 1)
    let selection = try Selection(
      Cell(site, index: index, window), base: base, source: source, .identity)!
    let exchange = small.model.exchange(
      id: "pair", group: "group", base: base, source: source, .necessity, selection)
    return (exchange, base, source)
  }

  @Test(arguments: ["encoder.0.resid_post", "connector.out", "lm.1.resid_post", "lm.1.mlp.post"])
  func runsAreTheEngines(_ name: String) throws {
    let small = Small()
    let site = Site(name)!
    let (exchange, base, source) = try exchange(small, site, [3, 4, 5])
    let own = try exchange.continued([exchange.base])
    #expect(own.isIdentical(to: gatherRows(base.logits, [0])))
    let patch = Patch(
      site, positions: [3, 4, 5], taking: try source.rows(of: Cell(site), at: [3, 4, 5]))
    let known = try small.model.patched(base, [[patch]])[0]
    // Fourteen variants are more than are stacked at once.
    let logits = try exchange.continued([Tensor](repeating: exchange.source, count: 14))
    for row in 0..<14 {
      let line = gatherRows(logits, [row]).numbers
      #expect(-exchange.logitDifference(line) == known.logitDifference)
    }
    #expect(known.logitDifference != base.logitDifference)
    let effects = try [exchange].effects(of: { $0.difference })
    #expect(
      abs(effects.changes[0] - (base.logitDifference - known.logitDifference)) < 2e-6
        * max(1, abs(base.logitDifference)))
    let none = try [exchange].effects(alpha: 0, of: { $0.difference })
    #expect(none.changes == [0])
  }

  /// One head and one neuron.
  @Test(arguments: [("lm.1.attn.z", 2, 6), ("lm.1.mlp.post", 30, 1)])
  func partsOfASiteAreExchanged(_ name: String, _ index: Int, _ width: Int) throws {
    let small = Small(seed: 2)
    let (exchange, base, source) = try exchange(small, Site(name)!, [4, 5], index: index)
    #expect(exchange.base.shape == [2, width])
    let cell = Cell(Site(name)!, index: index, .positions(4, 6))
    let selection = try Selection(cell, base: base, source: source, .identity)!
    let known = try small.model.patched(base, [[selection.patch()]])[0]
    let found = try exchange.continued([exchange.source])
    #expect(-exchange.logitDifference(found.numbers) == known.logitDifference)
    let differentiated = try exchange.continued([exchange.source.variable])
    #expect(abs(-exchange.logitDifference(differentiated.numbers) - known.logitDifference) < 1e-5)
    #expect(known.logitDifference != base.logitDifference)
  }

  @Test func allPositionsRecoverEverything() throws {
    let small = Small(seed: 3)
    let site = Site(.lm, 0, .residPost)
    let count = try small.model.trace(small.question).timeline.tokens
    let (exchange, _, _) = try exchange(small, site, Array(0..<count))
    let effects = try [exchange].effects(of: { $0.difference })
    #expect(abs(effects.recovery - 1) < 1e-5)
    #expect(abs(exchange.gap) > 1e-3)
  }

  @Test(arguments: ["encoder.1.resid_post", "connector.out", "lm.1.resid_post", "lm.1.mlp.post"])
  func gradientsAreSlopes(_ name: String) throws {
    let small = Small(seed: 2)
    let (exchange, _, _) = try exchange(small, Site(name)!, [2, 3])
    let slope = DoubleMatrix(try exchange.gradient())
    let direction = DoubleMatrix(
      rows: slope.rows, columns: slope.columns, normal: Random(seed: 4))
    let size = 2e-2
    let ends = try exchange.continued(
      [size, -size].map { moved(exchange.base, by: direction, alpha: $0) })
    let difference =
      exchange.logitDifference(gatherRows(ends, [0]).numbers)
      - exchange.logitDifference(gatherRows(ends, [1]).numbers)
    let along = zip(slope.numbers, direction.numbers).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(difference / (2 * size) / along - 1) < 2e-2, "\(difference / (2 * size)) \(along)")
  }
}

/// Logits that read one direction of an activation in which others vary more.
private struct Toy {
  let direction: DoubleMatrix
  let readers: Tensor
  /// How much the other directions vary.
  let noise: Double

  init(width: Int = 10, noise: Double = 1.5) {
    self.noise = noise
    direction = DoubleMatrix(rows: width, columns: 1, normal: Random(seed: 5)).orthonormalised()
    let column = direction.numbers
    readers = Tensor([2, width], (column + column.map { -$0 }).map { Float(3 * $0) })
  }

  func pairs(_ count: Int, seed: UInt64) -> [Exchange] {
    let random = Random(seed: seed)
    return (0..<count).map { i in
      func run(_ sign: Double, _ name: String) -> Tensor {
        let width = direction.rows
        let noise = DoubleMatrix(rows: 1, columns: width, normal: random.split(i).split(name))
        let aside = noise - (noise * direction).timesTransposed(direction)
        var x = aside
        for j in 0..<width { x[0, j] = self.noise * aside[0, j] + sign * direction[j, 0] }
        return x.tensor
      }
      let sign: Double = i % 2 == 0 ? 1 : -1
      let (base, source) = (run(sign, "base"), run(-sign, "source"))
      let readers = readers
      return Exchange(
        id: "\(i)", group: "\(i)", answer: sign > 0 ? 1 : 0, foil: sign > 0 ? 0 : 1, base: base,
        source: source, baseLogits: linear(base, readers).numbers,
        sourceLogits: linear(source, readers).numbers
      ) { variants in joiningRows(variants.map { linear($0, readers) }) }
    }
  }
}

@Suite struct AlignmentSearchTests {
  @Test func thePlantedDirectionIsFound() throws {
    let toy = Toy()
    let (train, test) = (toy.pairs(60, seed: 1), toy.pairs(40, seed: 2))
    let found = try AlignmentSearch(rank: 1).train(on: train, Random(seed: 3))
    #expect(found.losses.last! < 0.2 * found.losses[0])
    let planted = Subspace(orthonormal: toy.direction)
    #expect(found.subspace.principalCosines(to: planted)[0] > 0.97)
    #expect(found.subspace.isOrthogonal && found.subspace.rank == 1)
    func effects(_ subspace: Subspace) throws -> Effects {
      try test.effects(of: { subspace.projection(of: $0.difference) })
    }
    let trained = try effects(found.subspace)
    #expect(trained.accuracy == 1)
    #expect(abs(trained.recovery - 1) < 0.15)
    // Principal components follow what varies most, which is not read.
    let natural = try Natural(DoubleMatrix(joiningRows(train.map(\.base))))
    let principal = try Subspace.principal(natural).first(1)
    #expect(try effects(principal).recovery < 0.3)
    // The same bits again.
    let again = try AlignmentSearch(rank: 1).train(on: train, Random(seed: 3))
    #expect(again.subspace.patterns == found.subspace.patterns)
  }

  /// Labels that contradict what the model can say are not learnt.
  @Test func arbitraryLabelsFail() throws {
    let toy = Toy()
    let train = toy.pairs(60, seed: 1)
    // The base's answer for half of the pairs at random: nothing in a pair says which.
    var random = Random(seed: 9)
    let labels = train.map { random.below(2) == 0 ? $0.answer : $0.foil }
    let found = try AlignmentSearch(rank: 1).train(on: train, labels: labels, Random(seed: 3))
    let real = try AlignmentSearch(rank: 1).train(on: train, Random(seed: 3))
    #expect(found.losses.last! > 5 * real.losses.last!)
    let answers = [3, 5, 5, 7, 3]
    let other = try arbitraryLabels(answers, Random(seed: 1))
    #expect(zip(answers, other).allSatisfy(!=))
    #expect(other[1] == other[2] && other[0] == other[4] && Set(other) == Set(answers))
    #expect(throws: SubspaceError.self) { try arbitraryLabels([3, 3], Random(seed: 1)) }
  }

  @Test func impossibleRanksAreRefused() {
    let pairs = Toy().pairs(4, seed: 1)
    #expect(throws: SubspaceError.self) {
      try AlignmentSearch(rank: 11).train(on: pairs, Random(seed: 1))
    }
    #expect(throws: SubspaceError.self) {
      try AlignmentSearch(rank: 1).train(on: [], Random(seed: 1))
    }
  }
}

@Suite struct SubspaceStudyTests {
  /// Four words, two along each of two directions; a pair goes from one word to the other of its direction,
  /// and another item is one of the other direction.
  @Test func anotherItemPushesTheBaseOutAndSaysItsOwnWord() throws {
    let readers = Tensor([4, 2], [3, 0, -3, 0, 0, 3, 0, -3])
    let pairs = (0..<4).map { i -> Exchange in
      let (first, second) = i % 2 == 0 ? (Float(1), Float(0)) : (0, 1)
      let (base, source) = (Tensor([1, 2], [first, second]), Tensor([1, 2], [-first, -second]))
      return Exchange(
        id: "\(i)", group: "\(i)", answer: i % 2 == 0 ? 1 : 3, foil: i % 2 == 0 ? 0 : 2, base: base,
        source: source, baseLogits: linear(base, readers).numbers,
        sourceLogits: linear(source, readers).numbers
      ) { variants in joiningRows(variants.map { linear($0, readers) }) }
    }
    // (-1, -1) in the place of (-2, 0), as it is and as long as that.
    let asItIs = try #require(try pairs.wrongItem(nil, asLong: false))
    #expect(abs(asItIs.recovery - 0.5) < 1e-6 && asItIs.accuracy == 0)
    let asLong = try #require(try pairs.wrongItem(nil))
    #expect(abs(asLong.recovery - 0.5.squareRoot()) < 1e-6 && asLong.accuracy == 0)
    // Along the answer's direction alone a move as long is the real one.
    var axis = DoubleMatrix(rows: 2, columns: 1)
    axis[0, 0] = 1
    let even = [pairs[0], pairs[1]]
    let along = Subspace(orthonormal: axis)
    #expect(abs(try #require(try even.wrongItem(along, asLong: false)).changes[0] - 6) < 1e-5)
    #expect(abs(try #require(try even.wrongItem(along)).changes[0] - 12) < 1e-5)
    #expect(try [pairs[0], pairs[2]].wrongItem(nil) == nil)
  }

  @Test func methodsFindWhatIsReadAndControlsDoNot() throws {
    let toy = Toy()
    let study = try SubspaceStudy(fit: toy.pairs(600, seed: 1))
    let test = toy.pairs(40, seed: 2)
    let random = Random(seed: 7)
    for method in [SubspaceMethod.mean, .between, .cca, .ccaOrthogonal, .leace, .gradient, .das] {
      let subspace = try study.subspace(method, rank: 1, random).first(1)
      let result = try test.result(
        of: subspace, natural: study.natural, reference: study.samples, draws: 40,
        bootstrap: 500, random)
      #expect(abs(result.recovery.value - 1) < 0.3, "\(method)")
      #expect(result.recovery.low <= result.recovery.value)
      #expect(result.accuracy > 0.85, "\(method)")
      #expect(abs(result.complement + result.recovery.value - 1) < 1e-5, "\(method)")
      #expect(result.families.count == 4, "\(method)")
      for (name, family) in result.families {
        #expect(family.p < 0.15 && family.mean < 0.6, "\(method) \(name) \(family)")
      }
      // Two answers alone: no pair has others.
      #expect(result.wrongItem == nil)
      #expect(result.divergence!.mahalanobis < 1.5)
    }
    let readers = try study.readers(random)
    #expect(readers.basis.columns == 1)
    let report = try study.report(
      .pca, counts: [1, 5, 10], on: test, readers: readers, draws: 10, orders: 4, bootstrap: 200,
      random)
    #expect(report.components == 10 && abs(report.full.value - 1) < 1e-5)
    // The planted direction varies less than the rest, so that it comes last; all of them are all.
    #expect(report.results[0].recovery.value < 0.3)
    #expect(abs(report.results[2].recovery.value - 1) < 1e-5)
    #expect(report.saturation.reversed.recoveries[1] > 0.7)
    #expect(abs(report.saturation.random[0].recoveries[2] - 1) < 1e-5)
    let check = try #require(report.illusion)
    // Of ten directions one is read, and it is enough.
    #expect(abs(check.nullShare - 0.9) < 1e-6)
    #expect(abs(check.row - 1) < 1e-4 && abs(check.null) < 1e-4)
    #expect(throws: SubspaceError.self) {
      try study.report(
        .mean, counts: [1, 2], on: test, readers: nil, draws: 1, orders: 1, random)
    }
    let strong = try study.subspace(.difference, rank: 1, random)
    #expect(strong.rank == 10)
    #expect(throws: SubspaceError.self) { try study.subspace(.random, rank: 11, random) }
    #expect(throws: SubspaceError.self) { try SubspaceStudy(fit: []) }
  }

  @Test func featuresAreRankedByWhatTheyDo() throws {
    let toy = Toy(noise: 0.3)
    var study = try SubspaceStudy(fit: toy.pairs(400, seed: 1))
    study.sparse = SparseTraining(.topK(4))
    (study.sparse.expansion, study.sparse.steps) = (2, 300)
    let (autoencoder, order) = try study.features(Random(seed: 1))
    #expect(Set(order) == Set(0..<20))
    let test = toy.pairs(60, seed: 2)
    func recovery(_ chosen: [Int]) throws -> Double {
      try test.effects(of: { pair in
        autoencoder.move(from: pair.base, to: pair.source, swapping: chosen)
      }).recovery
    }
    let (first, last) = (try recovery(Array(order[..<5])), try recovery(Array(order[15...])))
    #expect(first > 0.5 && last < 0.2, "\(first) \(last)")
  }
}
