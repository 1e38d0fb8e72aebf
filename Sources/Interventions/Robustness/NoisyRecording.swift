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
  /// The noise and its ratio in dB; nil where there is none, or where it was made for the recording.
  public let noise: NoiseMix?
  /// Whether there is no noise of any kind.
  public let isClean: Bool
  private let heard: Heard
  private let recorded: Utterance

  private enum Heard: Sendable {
    case utterance(Utterance)
    case samples([Float])
  }

  /// The corrupt member of a pair, whose clean member is the same without noise.
  ///
  /// - Throws: where the pair's corrupt member is no mixture.
  public init(_ pair: MinimalPair) throws {
    guard case .mixture(_, let noise) = pair.corrupt.sound else {
      throw CellError("pair \(pair.id): is no speech in noise; take the pairs of the noise set")
    }
    (id, group, text) = (pair.id, pair.group, pair.clean.text)
    (self.noise, isClean, heard, recorded) = (noise, false, .utterance(pair.corrupt), pair.clean)
  }

  /// An utterance without noise.
  public init(clean utterance: Utterance) {
    (id, text, noise) = (utterance.id, utterance.text, nil)
    group = "\(utterance.text) | \(utterance.voice)"
    (isClean, heard, recorded) = (true, .utterance(utterance), utterance)
  }

  /// An utterance in noise that was made for it.
  ///
  /// - Parameter samples: what is heard, at 16 kHz
  public init(_ utterance: Utterance, heardAs samples: [Float]) {
    (id, text, noise) = ("\(utterance.id) in noise", utterance.text, nil)
    group = "\(utterance.text) | \(utterance.voice)"
    (isClean, heard, recorded) = (false, .samples(samples), utterance)
  }

  /// What is heard, and what was recorded.
  public func noisy(root: String) throws -> Waveform {
    switch heard {
    case .utterance(let utterance): try utterance.waveform(root: root)
    case .samples(let samples): Waveform(samples: samples)
    }
  }
  public func clean(root: String) throws -> Waveform { try recorded.waveform(root: root) }
}

extension [NoisyRecording] {
  /// So many of them, sentences and noises each in turn, so that few hold every noise as often.
  ///
  /// Every so many-th of a list whose noises follow one another would hold some noises alone.
  public func inTurn(_ most: Int) -> [NoisyRecording] {
    guard most < count else { return self }
    var sentences: [String] = []
    var bySentence: [String: [NoisyRecording]] = [:]
    for recording in self {
      if bySentence[recording.group] == nil { sentences.append(recording.group) }
      bySentence[recording.group, default: []].append(recording)
    }
    let noises = bySentence.values.map(\.count).max() ?? 1
    // Where both turns come round together, the noises go on by one.
    let round = sentences.count * noises / greatestCommonDivisor(sentences.count, noises)
    return (0..<(sentences.count * noises)).lazy.compactMap { i in
      let own = bySentence[sentences[i % sentences.count]]!
      let place = (i + i / round) % noises
      return place < own.count ? own[place] : nil
    }.prefix(most).map { $0 }
  }
}

private func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
  b == 0 ? a : greatestCommonDivisor(b, a % b)
}
