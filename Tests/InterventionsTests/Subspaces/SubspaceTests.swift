// Estimators of a subspace, against NumPy and SciPy (Peers/make_subspace_fixtures.py) and against
// what they promise.

import Foundation
import Interventions
import JSON
import Speech
import Tensor
import Testing

/// Golden values and the data that they are of.
private struct Golden {
  let json: JSON
  let samples: DoubleMatrix
  let labels: [String]

  init() throws {
    json = try readJSON(
      Bundle.module.resourceURL!.appendingPathComponent("Fixtures/subspaces.json").path)
    samples = Golden.matrix(json["samples"]!)
    labels = json["labels"]!.elements!.map { $0.string! }
  }

  static func matrix(_ json: JSON) -> DoubleMatrix {
    let rows = json.elements!.map { $0.elements!.map { $0.double! } }
    return DoubleMatrix(rows: rows.count, columns: rows[0].count, rows.flatMap { $0 })
  }

  func matrix(_ name: String) -> DoubleMatrix { Golden.matrix(json[name]!) }
  func numbers(_ name: String) -> [Double] { json[name]!.elements!.map { $0.double! } }
}

/// Pi as a matrix.
private func projector(_ subspace: Subspace) -> DoubleMatrix {
  subspace.patterns.timesTransposed(subspace.readouts)
}

private func near(_ a: [Double], _ b: [Double], _ tolerance: Double = 1e-9) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
}

@Suite struct SubspaceTests {
  @Test func principalComponentsAreNumPys() throws {
    let golden = try Golden()
    let natural = try Natural(golden.samples)
    #expect(near(natural.variances, golden.numbers("variances")))
    let two = try Subspace.principal(natural).first(2)
    #expect((projector(two) - golden.matrix("principalProjector")).largest < 1e-10)
    let distances = natural.squaredDistances(golden.samples.subtracting(natural.mean))
    #expect(near(distances, golden.numbers("mahalanobis")))
  }

  /// Fewer samples than numbers: the same axes by the smaller matrix.
  @Test func fewSamplesGiveTheSameAxes() throws {
    let few = DoubleMatrix(rows: 5, columns: 12, normal: Random(seed: 2))
    let natural = try Natural(few)
    #expect(natural.variances.count == 4)
    let centred = few.subtracting(few.columnMeans)
    let covariance = DoubleMatrix(
      rows: 12, columns: 12, (centred.transposed * centred).numbers.map { $0 / 4 })
    let whole = covariance.symmetricEigen()
    #expect(near(natural.variances, Array(whole.values[..<4])))
    let kept = whole.vectors.columns(0..<4)
    #expect(
      (natural.axes.timesTransposed(natural.axes) - kept.timesTransposed(kept)).largest < 1e-10)
    // Along what never varies any move is infinitely far, and not where shrinkage assumes variance.
    let beside = whole.vectors.columns(11..<12).transposed
    #expect(natural.squaredDistances(beside) == [.infinity])
    let shrunk = try Natural(few, shrinkage: 0.1).squaredDistances(beside)[0]
    let floor = 0.1 * natural.variances.reduce(0, +) / 12
    #expect(abs(shrunk - 1 / floor) < 1e-9 / floor)
  }

  @Test func canonicalCorrelationsAreSciPys() throws {
    let golden = try Golden()
    let other = golden.matrix("other")
    let cca = try Subspace.canonical(golden.samples, targets: other)
    #expect(near(cca.strengths, golden.numbers("correlationsOther")))
    let classes = try Subspace.canonical(golden.samples, targets: oneHot(golden.labels))
    #expect(near(classes.strengths, golden.numbers("correlationsClasses")))
    // The readout is the canonical direction; the pattern is another one.
    let first = golden.numbers("firstCanonical")
    func cosine(_ basis: DoubleMatrix) -> Double {
      let own = (0..<basis.rows).map { basis[$0, 0] }
      let length = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return abs(zip(own, first).reduce(0) { $0 + $1.0 * $1.1 }) / length
    }
    #expect(abs(cosine(cca.readouts) - 1) < 1e-9)
    #expect(cosine(cca.patterns) < 0.95)
    // Coordinates by readouts have variance 1 and correlate with nothing but their partner.
    let coordinates = golden.samples.subtracting(golden.samples.columnMeans) * cca.readouts
    let gram = coordinates.transposed * coordinates
    for r in 0..<cca.rank {
      for c in 0..<cca.rank { #expect(abs(gram[r, c] / 59 - (r == c ? 1 : 0)) < 1e-9) }
    }
  }

  @Test func leaceLeavesNoLinearTrace() throws {
    let golden = try Golden()
    let z = try oneHot(golden.labels)
    let leace = try Subspace.leace(golden.samples, targets: z)
    #expect((projector(leace) - golden.matrix("leaceProjector")).largest < 1e-9)
    func cross(_ x: DoubleMatrix) -> Double {
      (x.subtracting(x.columnMeans).transposed * z.subtracting(z.columnMeans)).largest / 59
    }
    let mean = golden.samples.columnMeans
    #expect(cross(golden.samples) > 0.1)
    #expect(cross(leace.erased(golden.samples, mean: mean)) < 1e-12)
    // The orthogonal eraser removes the trace too, and changes more in the covariance's metric.
    let means = try Subspace.classMeans(golden.samples, labels: golden.labels, weighted: false)
    #expect((projector(means) - golden.matrix("meanProjector")).largest < 1e-9)
    let flat = means.erased(golden.samples, mean: mean)
    #expect(cross(flat) < 1e-12)
    let change = (leace.erased(golden.samples, mean: mean) - golden.samples).squaredNorm
    #expect(change < (flat - golden.samples).squaredNorm)
    // What spans the same patterns orthogonally is the class means' span.
    let patterns = leace.orthogonal(on: \.patterns)
    #expect((projector(patterns) - projector(means)).largest < 1e-9)
    #expect((projector(leace.orthogonal(on: \.readouts)) - projector(means)).largest > 0.05)
  }

  @Test func projectorsAreProjectors() throws {
    let golden = try Golden()
    let subspaces = [
      try Subspace.leace(golden.samples, targets: oneHot(golden.labels)),
      try .canonical(golden.samples, targets: golden.matrix("other")).first(2),
      try .canonical(golden.samples, targets: golden.matrix("other"), shrinkage: 0.2),
      try .classMeans(golden.samples, labels: golden.labels, weighted: true),
      try .principal(ofMoves: golden.samples).first(3),
    ]
    for subspace in subspaces {
      let p = projector(subspace)
      #expect((p * p - p).largest < 1e-10)
      #expect((p * subspace.patterns - subspace.patterns).largest < 1e-10)
    }
    #expect(!subspaces[0].isOrthogonal && subspaces[3].isOrthogonal)
    let angles = try Subspace.principal(Natural(golden.samples)).first(2)
      .principalCosines(to: .classMeans(golden.samples, labels: golden.labels, weighted: false))
    #expect(near(angles, golden.numbers("angleCosines"), 1e-7))
  }

  @Test func identityPatchesKeepEveryBit() throws {
    let golden = try Golden()
    var numbers = golden.samples.numbers.map { Float($0) }
    (numbers[0], numbers[1], numbers[2]) = (-0.0, .leastNonzeroMagnitude, 3e38)
    let h = Tensor([60, 6], numbers)
    let source = Tensor([60, 6], normal: 1, Random(seed: 1))
    for k in [1, 4, 6] {
      let subspace = try Subspace.principal(Natural(golden.samples)).first(k)
      for part in MovedPart.allCases {
        let own = subspace.move(part, from: DoubleMatrix(h), to: DoubleMatrix(h))
        #expect(moved(h, by: own).isIdentical(to: h))
      }
    }
    // A full move is the source; subspace and complement add up to it; alpha scales.
    let finite = golden.samples.tensor
    let two = try Subspace.leace(golden.samples, targets: oneHot(golden.labels))
    let parts = Dictionary(
      uniqueKeysWithValues: MovedPart.allCases.map {
        ($0, two.move($0, from: DoubleMatrix(finite), to: DoubleMatrix(source)))
      })
    #expect(moved(finite, by: parts[.full]!).largestDifference(to: source) < 1e-6)
    #expect((parts[.subspace]! + parts[.complement]! - parts[.full]!).largest < 1e-12)
    let half = moved(finite, by: parts[.full]!, alpha: 0.5)
    #expect(half.largestDifference(to: finite * 0.5 + source * 0.5) < 1e-6)
  }

  @Test func whatCannotBeIsAnError() throws {
    let golden = try Golden()
    let natural = try Natural(golden.samples)
    #expect(throws: SubspaceError.self) { try Subspace.principal(natural).first(7) }
    #expect(throws: SubspaceError.self) { try Subspace.principal(natural).first(0) }
    #expect(throws: SubspaceError.self) { try Natural(golden.samples.rows([1])) }
    #expect(throws: SubspaceError.self) { try Natural(golden.samples.rows([1, 1, 1])) }
    #expect(throws: SubspaceError.self) { try oneHot(["a", "a"]) }
    #expect(throws: SubspaceError.self) {
      try Subspace.principal(ofMoves: DoubleMatrix(rows: 3, columns: 4))
    }
    #expect(throws: SubspaceError.self) {
      try Subspace.gradient(DoubleMatrix(rows: 3, columns: 4))
    }
    #expect(throws: SubspaceError.self) {
      try checkCounts([1, 2, 97], dimension: 96, of: "numbers")
    }
    #expect(throws: SubspaceError.self) { try checkCounts([2, 1], dimension: 96, of: "numbers") }
  }
}
