// Neurons of the encoder's MLPs that are changed in noise, and how they are chosen
// (`paper/definitions.md`, D139).

import Speech
import Tensor

/// Neurons of the encoder, layer by layer.
public struct NeuronSet: Codable, Sendable, Equatable {
  /// The neurons of each layer, in rising order.
  public let byLayer: [[Int]]

  public var count: Int { byLayer.reduce(0) { $0 + $1.count } }

  public init(byLayer: [[Int]]) { self.byLayer = byLayer.map { $0.sorted() } }

  /// The neurons with the highest scores, all layers together; of equals the first.
  ///
  /// - Parameters:
  ///   - scores: by layer and neuron
  ///   - count: how many, at most
  public init(highest count: Int, of scores: [[Double]]) {
    let all = scores.enumerated().flatMap { layer, row in
      row.enumerated().map { (layer: layer, neuron: $0.offset, score: $0.element) }
    }
    let chosen = all.sorted {
      ($1.score, $0.layer, $0.neuron) < ($0.score, $1.layer, $1.neuron)
    }.prefix(count)
    self.init(
      byLayer: scores.indices.map { layer in
        chosen.filter { $0.layer == layer }.map(\.neuron)
      })
  }

  /// As many neurons in each layer, drawn among all of it: the matched control.
  ///
  /// - Parameter width: neurons a layer
  public func drawn(of width: Int, _ random: Random) -> NeuronSet {
    NeuronSet(
      byLayer: byLayer.enumerated().map { layer, chosen in
        var stream = random.split(layer)
        return Array(stream.permutation(width).prefix(chosen.count))
      })
  }
}

/// How far each neuron is from a reference, as SPIRIT has it: the size of the difference of sums over time
/// (arXiv 2505.13541, as its code computes it).
///
/// - Parameters:
///   - heard: [positions, neurons] of each layer
///   - reference: of a run as long
/// - Returns: by layer and neuron
public func sensitivity(of heard: [Tensor], against reference: [Tensor]) -> [[Double]] {
  zip(heard, reference).map { heard, reference in
    zip(DoubleMatrix(heard).columnSums, DoubleMatrix(reference).columnSums).map { abs($0 - $1) }
  }
}

extension DoubleMatrix {
  var columnSums: [Double] { columnMeans.map { $0 * Double(rows) } }
}

/// What each neuron of the encoder mends of one recording, by layer and neuron, in nats a token; nothing where noise
/// does not make its text wrong.
public struct NeuronMending: Codable, Sendable {
  public let byLayer: [[Double]]?

  static let nothing = NeuronMending(byLayer: nil)
}

extension NoiseListener {
  /// How much each neuron mends a text that noise has made wrong: the conductance of the text that noise takes
  /// away against the one that is written, from the noisy run to the clean one, summed over time.
  ///
  /// - Parameter steps: along the path
  func mending(_ asked: (noisy: Question, clean: Question), steps: Int) throws -> NeuronMending {
    let run = try model.trace(asked.noisy)
    var options = SearchOptions(.conductance(steps: steps), sites: neuronSites)
    options.target = .sequence
    let found = try model.search(
      base: asked.noisy.keepingFrames(of: run), source: asked.clean.keepingFrames(of: run), options)
    return NeuronMending(byLayer: neuronSites.map { found.scores[$0]!.totals })
  }
}
