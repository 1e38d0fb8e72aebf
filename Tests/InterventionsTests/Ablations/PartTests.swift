// Parts of a toy whose recovery is known, by directions and by features; material of the shipped
// checkpoint.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// Pairs of a model whose logit difference is a weighted sum of the activation's numbers, all of which
/// are above zero; where `weights` is not 0 the source has one more. Two answers take turns.
func positiveToys(_ weights: [Float], count: Int, seed: UInt64) -> [Exchange] {
  (0..<count).map { i in
    let random = Random(seed: seed).split(i)
    let noise = Tensor([1, weights.count], normal: 0.1, random.split("base"))
    let base = Tensor([1, weights.count], noise.numbers.map { 5 + $0 + Float(i % 2) })
    let source = base + Tensor([1, weights.count], weights.map { $0 == 0 ? 0 : 1 })
    let reader = Tensor([2, weights.count], weights + weights.map { _ in 0 })
    @Sendable func logits(_ rows: Tensor) -> Tensor { linear(rows, reader) }
    return Exchange(
      id: "\(i)", group: "\(i / 2)", answer: 0, foil: 1, base: base, source: source,
      baseLogits: logits(base).numbers, sourceLogits: logits(source).numbers
    ) { variants in joiningRows(variants.map(logits)) }
  }
}

/// An autoencoder whose features are the activation's numbers, in the order given.
func axisAutoencoder(_ order: [Int]) -> SparseAutoencoder {
  let width = order.count
  var one = [Float](repeating: 0, count: width * width)
  for (f, axis) in order.enumerated() { one[f * width + axis] = 1 }
  let encoder = Tensor([width, width], one)
  return SparseAutoencoder(
    encoder: encoder, encoderBias: Tensor([width]), decoder: transposed(encoder),
    decoderBias: Tensor([width]), scale: 1, activation: .relu)
}

@Suite struct PartTests {
  // Shares 0.5, 0.3, 0.15 and 0.05 of what a complete patch moves; two numbers that are not read.
  let weights: [Float] = [10, 6, 3, 1, 0, 0]
  let natural: Natural
  let pairs: [Exchange]

  init() throws {
    pairs = positiveToys(weights, count: 12, seed: 1)
    natural = try Natural(DoubleMatrix(rows: 60, columns: 6, normal: Random(seed: 2)))
  }

  private var held: HeldPairs { HeldPairs(sufficiency: pairs, necessity: pairs) }

  private func axes(_ order: [Int]) -> Subspace {
    var basis = DoubleMatrix(rows: 6, columns: order.count)
    for (c, r) in order.enumerated() { basis[r, c] = 1 }
    return Subspace(orthonormal: basis)
  }

  @Test func directionsAndFeaturesOfTheSameAxesRecoverTheSame() throws {
    let sizes = [1, 2, 3]
    let directions = try PartMoves(Components("axes", axes([0, 1, 2, 3]), sizes: sizes))
    // Feature f is number 5 - f, so that the order of importance is 5, 4, 3.
    let features = try PartMoves(
      axisAutoencoder([5, 4, 3, 2, 1, 0]), order: [5, 4, 3, 2, 1, 0], sizes: sizes)
    #expect(features.method == "sae")
    for moves in [directions, features] {
      let curve = try moves.curve(
        on: held, natural: natural, families: 3, draws: 200, Random(seed: 3))
      for arm in [curve.sufficiency, curve.necessity] {
        for (k, known) in [0.5, 0.8, 0.95].enumerated() {
          #expect(abs(arm.part[k].value - known) < 1e-5, "\(moves.method)")
          #expect(abs(arm.complement[k].value - (1 - known)) < 1e-5)
        }
        #expect(arm.k90 == 3)
        // Trapezes from (0, 0): 0.25 + 0.65 + 0.875 of 3.
        #expect(abs(arm.area.value - 1.775 / 3) < 1e-5)
        #expect(arm.overNorm.low > 0, "the axes are better than random moves as long")
        for family in RandomFamily.allCases {
          #expect(arm.random[family.rawValue]?.count == 3)
        }
        #expect(arm.part[0].value > arm.random["norm"]![0]!.value)
      }
    }
  }

  @Test func aRandomMoveIsMatchedToTheMoveOfFeatures() throws {
    // Two features of one direction count twice, which the subspace that they span does not know.
    let real = DoubleMatrix(rows: 1, columns: 6, [8, 0, 0, 0, 0, 0])
    let matched = RandomMoves(matching: axes([0]), natural: natural)
    let q = try matched.directions(.norm, Random(seed: 4))
    let (base, source) = (DoubleMatrix(pairs[0].base), DoubleMatrix(pairs[0].source))
    func length(_ move: DoubleMatrix) -> Double {
      move.numbers.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    let as8 = matched.move(.norm, along: q, from: base, to: source, matching: real)
    let as1 = matched.move(.norm, along: q, from: base, to: source)
    #expect(abs(length(as8) - 8) < 1e-9 && abs(length(as1) - 1) < 1e-5)
  }

  @Test func theMethodThatRecoversMostOnTheFitIsTaken() throws {
    // Bases differ along every number alike, sources along those that are read.
    var fit = positiveToys(weights, count: 16, seed: 5)
    fit += positiveToys(weights, count: 16, seed: 6)
    let study = try SubspaceStudy(fit: fit)
    let best = try study.best(of: [.pca, .difference], size: 1, on: fit, Random(seed: 7))
    #expect(best.method == "difference" && best.sizes == [1])
    let other = try study.best(of: [.pca], size: 1, on: fit, Random(seed: 7))
    #expect(other.method == "pca")
    #expect(throws: SubspaceError.self) {
      try study.best(of: [.difference], size: 5, on: fit, Random(seed: 7))
    }
  }

  @Test func materialIsThatOfTheCheckpoint() throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    func pairs(_ split: String) -> [MinimalPair] {
      Array(suite.pairs.filter { $0.split == split }.prefix(4))
    }
    let asked = FitAndHeld(fit: "discovery", held: "validation").map(pairs)
    let heard = asked.map { $0.map(\.clean) }
    let sites = [Site(.encoder, 0, .residPost), Site(.connector, .out)]
    let materials = try model.materials(
      at: sites, pairs: asked, recordings: heard, minimumGap: 1, moment: 120, epochs: 1, root: root)
    #expect(materials.map(\.site) == sites)
    let connector = materials[1]
    // The same as of one site alone, both directions one behind the other.
    let alone = try #require(
      try model.exchanges(asked.fit[0], .lexical, moment: 120, root: root))
    #expect(connector.study.fit[0].base.isIdentical(to: alone.sufficiency.base))
    #expect(connector.study.fit[1].base.isIdentical(to: alone.necessity.base))
    #expect(connector.study.fit.count == 2 * connector.pairs.fit.sufficiency.count)
    let whole = try connector.whole(draws: 100, Random(seed: 8))
    #expect(whole.sufficiency.value > 0.5 && whole.necessity.value > 0.5)
    // Positions of 20 ms in the encoder, of 40 ms behind it, each with the phone that is spoken.
    let (fine, coarse) = (materials[0].heard.fit, connector.heard.fit)
    #expect(abs(Double(fine.samples.rows) / Double(coarse.samples.rows) - 2) < 0.1)
    for samples in [fine, coarse] {
      #expect(samples.samples.rows == samples.phones.count)
      #expect(samples.recordings.last == 3 && samples.means.count == 4)
      let own = samples.recordings.indices.filter { samples.recordings[$0] == 1 }
      let mean = DoubleMatrix(samples.samples).rows(own).columnMeans
      #expect(zip(mean, samples.means[1]).allSatisfy { abs($0 - $1) < 1e-9 })
      #expect(samples.phoneMeans[2].count == heard.fit[2].phones.count)
    }
    // The first position of the changed phone is labelled with it.
    let first = asked.fit[0].clean
    let phone = first.phones[asked.fit[0].changedPhone]
    let position = Int(phone.start / 20) + 1
    #expect(fine.phones[position] == phone.label)
    #expect(fine.phoneMeans[0][0] != fine.phoneMeans[0][1])
  }

  @Test func phonesAreTakenAsOftenAsEachOther() throws {
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let some = Array(suite.utterances.prefix(20))
    let set = PhoneSet(some, each: 5)
    let sizes = Dictionary(grouping: set.labels) { $0 }.mapValues(\.count)
    #expect(Set(sizes.values) == [5] && sizes.count > 5)
    for (place, label) in zip(set.places, set.labels) {
      #expect(some[place.recording].phones[place.phone].label == label)
    }
    let known = PhoneSet(some, each: 1000, known: ["n", "t"], all: true)
    #expect(Set(known.labels) == ["n", "t"])
    #expect(PhoneSet(some, each: 1000).labels.isEmpty)
  }
}
