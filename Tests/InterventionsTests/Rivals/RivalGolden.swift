// What other papers' own code computes on our small models (Peers/make_rival_fixtures.py), for the tests that repeat
// it.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor

enum RivalCode {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
  static let speech = Result { try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small") }
  static let suite = Result { try PairSuite(manifest: "\(root)/data-manifests/evaluation.json") }
  static let golden = Result {
    try JSONDecoder().decode(
      RivalGolden.self,
      from: Data(
        contentsOf: URL(fileURLWithPath: "\(root)/Tests/InterventionsTests/Fixtures/rivals.json")))
  }

  /// In logits and nats: float32 in another order of sums. The largest difference found is 8e-6.
  static let tolerance = 3e-5

  /// The largest difference of two lists; infinite where they differ in length or a number is none.
  static func apart(_ a: [Double], _ b: [Double]) -> Double {
    guard a.count == b.count, (a + b).allSatisfy(\.isFinite) else { return .infinity }
    return zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  static func apart(_ a: Tensor, _ b: [Double]) -> Double { apart(a.numbers.map(Double.init), b) }
}

/// The numbers of theirs.
struct RivalGolden: Decodable {
  struct Spirit: Decodable {
    struct Found: Decodable {
      /// Layer and neuron, the most sensitive first.
      let neurons: [[Int]]
      let sensitivities: [Double]
      let positions: Int
      let logits: [String: [Double]]
      let swapped: [Double]
    }

    let percent: Double
    let counts: [String: [Int]]
    let valid: Int
    let last: Int
    let bias: Double
    let plain: [Double]
    let clean: [Double]
    let sites: [String: Found]
  }

  struct Attack: Decodable {
    struct Steps: Decodable {
      /// Samples whose noise is larger than the bound.
      let beyond: Int
      /// Of two steps the cross-entropy in nats, before each.
      let costs: [Double]
    }

    let target: Int
    let eps: Float
    let alpha: Float
    let resampled: Steps
    let atRate: Steps
    let raised: String

    /// Of each sample, whether it was raised.
    var signs: [Bool] {
      raised.flatMap { digit in
        let bits = digit.hexDigitValue ?? 0
        return [8, 4, 2, 1].map { bits & $0 != 0 }
      }
    }
  }

  struct Pyvene: Decodable {
    struct Whole: Decodable {
      let layer: Int
      let positions: [Int]
      let value: Double
    }

    struct Part: Decodable {
      let layer: Int
      let positions: [Int]
      let basis: [[Float]]
      let mean: [Float]
      let rotated: Double
      let pca: Double
    }

    let whole: [Whole]
    let subspace: Part
  }

  struct Paths: Decodable {
    struct Sender: Decodable {
      let layer: Int
      let head: Int
      let q: [[Double]]
      let k: [[Double]]
      let v: [[Double]]
    }

    let heads: [[Double]]
    let senders: [Sender]
  }

  let pair: String
  let clean: Double
  let corrupt: Double
  let spirit: Spirit
  let attack: Attack
  let pyvene: Pyvene
  let paths: Paths
  let autoencoders: GoldenAutoencoders
}
