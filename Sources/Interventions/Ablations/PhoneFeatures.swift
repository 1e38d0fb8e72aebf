// Which features of an autoencoder a single phone explains, beside features of a dictionary that was
// drawn and beside shuffled phones (`paper/definitions.md`, D148).

import Speech
import Tensor

/// The features of an autoencoder by the phones that are spoken where they are present.
public struct PhoneFeatures: Codable, Sendable {
  /// Features that are present in the samples that are tried.
  public let present: Int
  /// The share of these of whose activity there a single phone has half or more: the phone that has most
  /// of it in the samples of the fit. The interval draws features.
  public let explained: Estimate
  /// The mean share of the activity that this phone has.
  public let purity: Estimate

  /// - Parameters:
  ///   - fit: by which each feature gets its phone
  ///   - held: on which its share is read, of other recordings
  ///   - draws: bootstrap samples
  /// - Throws: where no feature is present.
  public init(
    _ autoencoder: SparseAutoencoder, fit: (samples: Tensor, phones: [String]),
    held: (samples: Tensor, phones: [String]), draws: Int, _ random: Random
  ) throws {
    let names = Set(fit.phones + held.phones).sorted()
    let place = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
    func activity(_ data: (samples: Tensor, phones: [String])) -> DoubleMatrix {
      precondition(data.samples.rows == data.phones.count)
      var sums = DoubleMatrix(rows: autoencoder.features, columns: names.count)
      autoencoder.forEachPart(of: data.samples) { f, first in
        f.withNumbers { numbers in
          for r in 0..<f.rows {
            let phone = place[data.phones[first + r]]!
            for c in 0..<f.width where numbers[r * f.width + c] > 0 {
              sums[c, phone] += Double(numbers[r * f.width + c])
            }
          }
        }
      }
      return sums
    }
    let (first, second) = (activity(fit), activity(held))
    let shares = (0..<autoencoder.features).compactMap { feature -> Double? in
      let total = second.row(feature).reduce(0, +)
      guard total > 0 else { return nil }
      let own = Array(first.row(feature))
      // One that is silent in the fit has no phone.
      guard let most = own.max(), most > 0 else { return 0 }
      return second[feature, own.firstIndex(of: most)!] / total
    }
    guard !shares.isEmpty else {
      throw SubspaceError("no feature is present in the samples; train for longer")
    }
    func mean(_ name: String, _ values: [Double]) -> Estimate {
      clusterInterval(of: values, draws: draws, random.split(name)) {
        $0.reduce(0, +) / Double($0.count)
      }
    }
    present = shares.count
    explained = mean("explained", shares.map { $0 >= 0.5 ? 1 : 0 })
    purity = mean("purity", shares)
  }
}

extension SparseAutoencoder {
  /// The same form with directions that were drawn, encoder and decoder alike, about the same centre: what
  /// keeping the largest few of as many random directions gives.
  public func drawn(_ random: Random) -> SparseAutoencoder {
    let directions = DoubleMatrix(rows: features, columns: width, normal: random).unitRows.tensor
    return SparseAutoencoder(
      encoder: directions, encoderBias: Tensor([features]), decoder: transposed(directions),
      decoderBias: decoderBias, scale: scale, activation: activation)
  }
}
