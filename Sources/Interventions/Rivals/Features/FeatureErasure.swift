// How many features of an autoencoder must be erased until a probe reads no phone any more: what AudioSAE
// (arXiv 2602.05027) asks of a concept (`paper/definitions.md`, D165).

import Speech
import Tensor

/// What a probe reads of phones with a share of the features erased.
public struct ErasureReading: Codable, Sendable {
  public let share: Double
  /// Features that tell phones apart most, the first of them; and as many that are drawn.
  public let erased: ProbeReading
  public let drawn: ProbeReading
}

extension SparseAutoencoder {
  /// Activations without what some features add; the error of the reconstruction stays.
  ///
  /// - Parameter x: [rows, width]
  public func erasing(_ erased: [Int], from x: Tensor) -> Tensor {
    let gone = Set(erased)
    let f = encoded(x)
    let own = f.numbers.enumerated().map { gone.contains($0 % features) ? $1 : 0 }
    return x - decoded(Tensor(f.shape, own))
  }

  /// The features that are present, those first whose mean activations differ most between phones: the
  /// variance of the phones' means, every phone alike.
  public func order(byPhonesOf positions: PhonePositions) -> [Int] {
    let f = DoubleMatrix(encoded(positions.rows))
    let phones = Set(positions.labels).sorted()
    let means = phones.map { phone in
      f.rows(positions.labels.indices.filter { positions.labels[$0] == phone }).columnMeans
    }
    let spread = (0..<features).map { k -> Double in
      let own = means.map { $0[k] }
      let mean = own.reduce(0, +) / Double(own.count)
      return own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    }
    let present = spread.indices.filter { k in (0..<f.rows).contains { f[$0, k] > 0 } }
    return present.sorted { (spread[$0], $1) > (spread[$1], $0) }
  }

  /// What a probe reads that is trained and tried on activations without some features.
  ///
  /// - Parameters:
  ///   - shares: of the features that are present in the fit
  ///   - fit: as many positions of each phone
  ///   - held: of other sentences, with no other phones
  ///   - draws: bootstrap samples
  public func erasure(
    of shares: [Double], fit: PhonePositions, held: PhonePositions, shuffles: Int, draws: Int,
    _ random: Random
  ) throws -> [ErasureReading] {
    let order = order(byPhonesOf: fit)
    var stream = random.split("order")
    let drawn = stream.permutation(order.count).map { order[$0] }
    guard !shares.isEmpty, shares.allSatisfy({ (0...1).contains($0) }) else {
      throw CellError("shares \(shares) of features to erase: give some from 0 to 1")
    }
    func reading(_ erased: [Int], _ random: Random) throws -> ProbeReading {
      func samples(_ positions: PhonePositions) -> LabelledSamples {
        LabelledSamples(
          DoubleMatrix(erasing(erased, from: positions.rows)), labels: positions.labels)
      }
      return try ProbeReading(
        fit: samples(fit), test: samples(held), groups: held.groups, shuffles: shuffles,
        draws: draws, random)
    }
    return try shares.map { share in
      let count = Int((share * Double(order.count)).rounded())
      return ErasureReading(
        share: share, erased: try reading(Array(order[..<count]), random.split("erased")),
        drawn: try reading(Array(drawn[..<count]), random.split("drawn")))
    }
  }
}
