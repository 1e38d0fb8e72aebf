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

extension SpeechModel {
  /// The neurons of the encoder's MLPs behind the activation function, layer by layer.
  public var neuronSites: [Site] {
    (0..<model.encoder.config.layers).map { Site(.encoder, $0, .mlpPost) }
  }

  /// How much each neuron mends a text that noise has made wrong: the conductance of the right text against
  /// the one that is written, from the noisy run to the clean one, summed over time.
  ///
  /// - Parameters:
  ///   - written: tokens of what is written in noise, which is not the right text
  ///   - steps: along the path
  ///   - words: in which the transcript is asked for
  /// - Returns: by layer and neuron, in nats a token
  public func mending(
    _ recording: NoisyRecording, written: [Int], steps: Int, asked words: String = "transcribe:",
    root: String
  ) throws -> [[Double]] {
    let end = endTokens.min()!
    let answers = try Answers(answer: textTokens(recording.text) + [end], foil: written + [end])
    func question(_ wave: Waveform) throws -> Question {
      Question(try input(hearing: wave, asked: words), answers)
    }
    let noisy = try question(recording.noisy(root: root))
    let run = try model.trace(noisy)
    var options = SearchOptions(.conductance(steps: steps), sites: neuronSites)
    options.target = .sequence
    let found = try model.search(
      base: noisy.keepingFrames(of: run),
      source: question(recording.clean(root: root)).keepingFrames(of: run), options)
    return neuronSites.map { found.scores[$0]!.totals }
  }
}
