// A probe beside the same probe with shuffled labels: what it reads on sentences that it has not seen,
// and what it would read if there were nothing to read (`paper/definitions.md`, D112).

import Corpus
import Speech
import Tensor

extension SpeechModel {
  /// The mean activation over a window at a site, of both members of a pair.
  public func windowMeans(
    _ pair: MinimalPair, at site: Site, _ window: PairWindow, root: String
  ) throws -> [[Double]] {
    let asked = try questions(for: pair, root: root)
    return try [asked.clean, asked.corrupt].map { question in
      let run = try model.trace(question, keeping: [site])
      let positions = try window.positions(
        in: run.place(of: site).spans, changed: pair.changed, of: "\(site)")
      return DoubleMatrix(try run.activation(of: site)).rows(positions).columnMeans
    }
  }
}

/// Activations with what was said, one a recording.
public struct LabelledSamples: Sendable {
  /// [recordings, width].
  public let samples: DoubleMatrix
  public let labels: [String]

  public init(_ samples: DoubleMatrix, labels: [String]) {
    precondition(samples.rows == labels.count, "\(samples.rows) samples, \(labels.count) labels")
    (self.samples, self.labels) = (samples, labels)
  }

  /// - Parameter vectors: of one length, one at least
  public init(_ vectors: [[Double]], labels: [String]) {
    self.init(
      DoubleMatrix(rows: vectors.count, columns: vectors[0].count, vectors.flatMap { $0 }),
      labels: labels)
  }
}

/// The probe of some labels, and of each of several shuffles of them.
public struct ProbeControl: Sendable {
  /// For each tried recording whether it was read correctly.
  public let read: [Bool]
  /// The share read correctly with each shuffle.
  public let shuffled: [Double]
  /// One over the number of classes. With as many recordings of each class in the fit, a shuffled probe
  /// reads each class as often as any other, so that its mean share is exactly this.
  public let chance: Double

  /// - Parameters:
  ///   - fit: what the probe is trained on
  ///   - test: what it is tried on, of other sentences
  /// - Throws: where the classes of the fit are not all as large, or those of the test are not among them
  public init(
    fit: LabelledSamples, test: LabelledSamples, shrinkage: Double, shuffles: Int, _ random: Random
  ) throws {
    let sizes = Dictionary(grouping: fit.labels) { $0 }.mapValues(\.count)
    guard Set(sizes.values).count == 1, Set(test.labels).isSubset(of: sizes.keys) else {
      throw SubspaceError(
        "a probe's chance is one over its classes where each has as many recordings in the fit and the "
          + "test has no others; leave the others out")
    }
    @Sendable func right(_ labels: [String]) throws -> [Bool] {
      let probe = try Probe(fit.samples, labels: labels, shrinkage: shrinkage)
      return zip(probe.classes(of: test.samples), test.labels).map { $0 == $1 }
    }
    read = try right(fit.labels)
    shuffled = try mapInParallel(shuffles) { shuffle in
      var stream = random.split(shuffle)
      let order = stream.permutation(fit.labels.count)
      let found = try right(order.map { fit.labels[$0] })
      return Double(found.count { $0 }) / Double(found.count)
    }
    chance = 1 / Double(sizes.count)
  }

  /// The share read correctly, less chance.
  ///
  /// - Parameter groups: the resampling unit of each tried recording
  public func readLessChance(groups: [String], draws: Int, _ random: Random) -> SanityEvidence {
    SanityEvidence(
      ratioOfMeans(
        read.map { ($0 ? 1 : 0) - chance }, read.map { _ in 1 }, groups: groups, draws: draws,
        random), count: read.count, groups: Set(groups).count)
  }

  /// The mean share over shuffles, less chance. The shuffles are what is drawn again.
  public func shuffledLessChance(draws: Int, _ random: Random) -> SanityEvidence {
    SanityEvidence(
      ratioOfMeans(
        shuffled.map { $0 - chance }, shuffled.map { _ in 1 },
        groups: shuffled.indices.map { "\(100_000 + $0)" }, draws: draws, random),
      count: shuffled.count)
  }
}
