// Matched random moves, the illusion and its controls, divergence, outliers and saturation curves, on
// data whose answers are known.

import Interventions
import Tensor
import Testing

/// Activations of which a few directions vary much more than the others.
private func skewed(_ rows: Int, _ width: Int, seed: UInt64) -> DoubleMatrix {
  DoubleMatrix(rows: rows, columns: width, normal: Random(seed: seed))
    .scalingColumns((0..<width).map { $0 < 4 ? 10 : 0.1 })
}

@Suite struct RandomMoveTests {
  let natural: Natural
  let moves: RandomMoves
  let base: DoubleMatrix
  let source: DoubleMatrix

  init() throws {
    natural = try Natural(skewed(300, 16, seed: 1))
    moves = RandomMoves(matching: try Subspace.principal(natural).first(2), natural: natural)
    (base, source) = (skewed(3, 16, seed: 2), skewed(3, 16, seed: 3))
  }

  @Test func everyFamilyKeepsWhatItPromises() throws {
    let real = moves.subspace.move(.subspace, from: base, to: source)
    for family in RandomFamily.allCases {
      for draw in 0..<5 {
        let random = Random(seed: 5).split(draw)
        let q = try moves.directions(family, random)
        #expect(q.columns == 2)
        let gram = q.transposed * q
        #expect(abs(gram[0, 0] - 1) < 1e-10 && abs(gram[0, 1]) < 1e-10)
        let move = moves.move(family, along: q, from: base, to: source)
        #expect((move - (move * q).timesTransposed(q)).largest < 1e-9)
        switch family {
        case .haar: #expect(move.squaredNorm != real.squaredNorm)
        case .variance:
          // Beside the real directions, where natural activations vary.
          #expect((moves.subspace.patterns.transposed * q).largest < 1e-8)
          #expect(natural.variances(along: q).allSatisfy { $0 > 50 })
        case .norm: #expect(abs(move.squaredNorm / real.squaredNorm - 1) < 1e-12)
        case .mahalanobis:
          let lengths = [move, real].map { natural.squaredDistances($0).reduce(0, +) }
          #expect(abs(lengths[0] / lengths[1] - 1) < 1e-9)
        }
      }
    }
    // Haar directions hold little of the variance: the straw man that `variance` replaces.
    let haar = (0..<200).map { draw in
      natural.variances(along: try! moves.directions(.haar, Random(seed: 6).split(draw)))[0]
    }
    #expect(haar.reduce(0, +) / 200 < 50)
  }

  @Test func drawsAreNamed() throws {
    let random = Random(seed: 8)
    let one = try moves.directions(.haar, random.split(1))
    #expect(one == (try moves.directions(.haar, random.split(1))))
    #expect(one != (try moves.directions(.haar, random.split(2))))
    // Three directions beside four leading ones of which two are taken do not exist.
    let three = RandomMoves(matching: try Subspace.principal(natural).first(3), natural: natural)
    #expect(!three.canDraw(.variance) && three.canDraw(.haar))
    #expect(throws: SubspaceError.self) { try three.directions(.variance, random) }
  }

  @Test func empiricalPIsNeverZero() {
    #expect(empiricalP(3, among: [1, 2, 4]) == 0.5)
    #expect(empiricalP(5, among: [1, 2, 4]) == 0.25)
    #expect(empiricalP(4, among: [1, 2, 4]) == 0.5)
  }
}

/// Makelov's toy: the component's output is 2 h_1; h_0 is the feature and is not read, h_1 is read and
/// does not vary.
@Suite struct IllusionTests {
  private let samples: DoubleMatrix = {
    var x = DoubleMatrix(rows: 200, columns: 3, normal: Random(seed: 1))
    for r in 0..<200 {
      x[r, 0] = r % 2 == 0 ? 1 : -1
      x[r, 1] *= 1e-3
      x[r, 2] *= 0.5
    }
    return x
  }()
  private let readers = DoubleMatrix(rows: 1, columns: 3, [0, 2, 0])

  private func effect(_ move: DoubleMatrix) -> Double { (move.timesTransposed(readers))[0, 0] }

  @Test func theIllusionIsSeen() throws {
    let root = 0.5.squareRoot()
    let v = Subspace(orthonormal: DoubleMatrix(rows: 3, columns: 1, [root, root, 0]))
    let (base, source) = (samples.rows([1]), samples.rows([0]))
    func effect(_ subspace: Subspace, _ part: MovedPart = .subspace) -> Double {
      self.effect(subspace.move(part, from: base, to: source))
    }
    // The patch moves the output by as much as the feature differs, the whole component not at all.
    #expect(abs(effect(v) - 2) < 0.01)
    #expect(abs(effect(v, .full)) < 0.02)
    let split = try ReaderSpace(rows: readers).split(v)
    #expect(abs(split.nullShare - 0.5) < 1e-12)
    #expect(split.row.rank == 1 && split.null.rank == 1)
    #expect(abs(effect(split.row)) < 0.02)
    #expect(effect(split.null) == 0)
    let variances = split.relativeVariances(try Natural(samples))
    #expect(variances.row! < 1e-4 && variances.null! > 2)
  }

  @Test func aDirectionThatIsReadIsNoIllusion() throws {
    let readers = DoubleMatrix(rows: 2, columns: 3, [0, 2, 0, 1, 0, 0])
    let v = Subspace(orthonormal: DoubleMatrix(rows: 3, columns: 1, [1, 0, 0]))
    let split = try ReaderSpace(rows: readers).split(v)
    #expect(split.nullShare < 1e-12 && split.null.rank == 0 && split.row.rank == 1)
    #expect(split.relativeVariances(try Natural(samples)).null == nil)
    // A share of the readers' length keeps the strongest alone.
    #expect(try ReaderSpace(rows: readers, share: 0.7).basis.columns == 1)
    #expect(throws: SubspaceError.self) {
      try ReaderSpace(rows: DoubleMatrix(rows: 2, columns: 3))
    }
  }

  @Test func divergenceKnowsNaturalFromFar() throws {
    let (all, held) = (skewed(400, 8, seed: 1), skewed(100, 8, seed: 2))
    let natural = try Natural(all)
    func divergence(_ x: DoubleMatrix) throws -> Divergence {
      try Divergence(of: x, held: held, reference: all, natural: natural)
    }
    let near = try divergence(skewed(100, 8, seed: 3))
    #expect(abs(near.naturalMahalanobis - 1) < 0.1)
    #expect(abs(near.mahalanobis / near.naturalMahalanobis - 1) < 0.1)
    #expect(abs(near.neighbour / near.naturalNeighbour - 1) < 0.2)
    // Far in a direction of small variance: the lengths hardly show it, the distances do.
    var away = skewed(100, 8, seed: 3)
    for r in 0..<100 { away[r, 7] += 2 }
    let far = try divergence(away)
    #expect(far.mahalanobis > 5 * far.naturalMahalanobis)
    // The third neighbour of 0 on a line of whole numbers lies 2 away.
    let line = DoubleMatrix(rows: 5, columns: 1, [0, 1, 2, 3, 4])
    let zero = DoubleMatrix(rows: 1, columns: 1)
    let third = try Divergence(of: zero, held: zero, reference: line, natural: Natural(line), k: 3)
    #expect(abs(third.neighbour - 2) < 1e-12)
    #expect(throws: SubspaceError.self) {
      try Divergence(of: away, held: held, reference: all.rows([1, 2]), natural: natural)
    }
  }

  @Test func outliersAreFoundAndCleared() {
    var x = DoubleMatrix(rows: 50, columns: 6, normal: Random(seed: 1))
    #expect(outlierDimensions(x) == [])
    x[7, 4] = -2000
    #expect(outlierDimensions(x) == [4])
    #expect(outlierDimensions(x.clearingColumns([4])) == [])
  }
}

@Suite struct SaturationTests {
  /// Component i adds its own share.
  private let shares = [0.5, 0.3, 0.1, 0.05, 0.05]
  private func recovery(_ chosen: [Int]) -> Double { chosen.reduce(0) { $0 + shares[$1] } }

  @Test func curvesAreWhatTheComponentsAdd() throws {
    let curves = try Saturation(
      components: 5, counts: [1, 2, 3, 5], draws: 60, Random(seed: 1), recovery: recovery)
    for (found, known) in zip(curves.ranked.recoveries, [0.5, 0.8, 0.9, 1]) {
      #expect(abs(found - known) < 1e-12)
    }
    for (found, known) in zip(curves.reversed.recoveries, [0.05, 0.1, 0.2, 1]) {
      #expect(abs(found - known) < 1e-12)
    }
    #expect(curves.ranked.smallestCount(reaching: 0.85, of: 1) == 3)
    #expect(curves.reversed.smallestCount(of: 1) == 5)
    #expect(curves.ranked.smallestCount(of: 2) == nil)
    // (0.25 + 0.65 + 0.85 + 1.9) / 5
    #expect(abs(curves.ranked.normalisedArea(of: 1) - 0.73) < 1e-12)
    #expect(abs(curves.ranked.normalisedArea(of: 2) - 0.365) < 1e-12)
    let areas = curves.random.map { $0.normalisedArea(of: 1) }
    // At random every component adds alike, on average: half the area.
    #expect(abs(areas.reduce(0, +) / 60 - 0.5) < 0.05)
    #expect(Set(areas).count > 10)
  }

  @Test func tooManyComponentsAreAnError() {
    #expect(throws: SubspaceError.self) {
      try Saturation(
        components: 5, counts: [1, 6], draws: 1, Random(seed: 1), recovery: recovery)
    }
  }
}
