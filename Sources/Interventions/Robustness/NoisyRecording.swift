// Speech in noise with the same speech without, as interventions on a model are tried on it.

import Corpus
import Speech

/// A sentence in noise, or as it was recorded.
public struct NoisyRecording: Sendable {
  public let id: String
  /// The unit of resampling: the sentence by its speaker.
  public let group: String
  /// What was said.
  public let text: String
  /// The noise and its ratio in dB; nil where there is none.
  public let noise: NoiseMix?
  private let heard: Utterance
  private let recorded: Utterance

  /// The corrupt member of a pair, whose clean member is the same without noise.
  ///
  /// - Throws: where the pair's corrupt member is no mixture.
  public init(_ pair: MinimalPair) throws {
    guard case .mixture(_, let noise) = pair.corrupt.sound else {
      throw CellError("pair \(pair.id): is no speech in noise; take the pairs of the noise set")
    }
    (id, group, text) = (pair.id, pair.group, pair.clean.text)
    (self.noise, heard, recorded) = (noise, pair.corrupt, pair.clean)
  }

  /// An utterance without noise.
  public init(clean utterance: Utterance) {
    (id, text, noise) = (utterance.id, utterance.text, nil)
    group = "\(utterance.text) | \(utterance.voice)"
    (heard, recorded) = (utterance, utterance)
  }

  public var isClean: Bool { noise == nil }

  /// What is heard, and what was recorded.
  public func noisy(root: String) throws -> Waveform { try heard.waveform(root: root) }
  public func clean(root: String) throws -> Waveform { try recorded.waveform(root: root) }
}
