// Recordings in which somebody speaks or nobody does, as an intervention on a recogniser is tried on them.

import Corpus
import Notebook
import Speech

/// A sound that is not speech, or speech with what was said.
public struct Recording: Sendable {
  public let id: String
  /// The unit of resampling: the kind of sound, or the sentence by its speaker.
  public let group: String
  /// What was said; nothing where nobody speaks.
  public let text: String
  public let isSpeech: Bool
  public let wave: @Sendable () throws -> Waveform

  /// A sound whose samples are verified when it is made.
  public init(_ sound: NonSpeech, digest: String) {
    (id, group, text, isSpeech) = (sound.id, sound.kind.rawValue, "", false)
    wave = { try sound.verified(digest) }
  }

  /// Utterances of one speaker, one after another.
  ///
  /// - Parameter root: the folder below which the recordings lie
  public init(_ utterances: [Utterance], root: String) {
    id = utterances.map(\.id).joined(separator: " ")
    group = "\(utterances[0].voice) \(utterances[0].text)"
    text = utterances.map(\.text).joined(separator: " ")
    isSpeech = true
    wave = {
      Waveform(samples: try utterances.flatMap { try $0.waveform(root: root).samples })
    }
  }
}

extension NonSpeech {
  /// The waveform, whose samples must be those that the manifest lists.
  public func verified(_ digest: String) throws -> Waveform {
    let samples = samples
    let found = Digest(ofSamples: samples)
    guard "\(found)" == digest else {
      throw CellError(
        "data-manifests/nonspeech.json: \(id): samples have the SHA-256 \(found), not \(digest)")
    }
    return Waveform(samples: samples.map { Float($0) / 32768 })
  }
}

extension NonSpeechSet {
  /// Every second length of each kind of a split, kinds taking turns, those of 4 s first.
  public func recordings(of split: String) -> [Recording] {
    let lengths = NonSpeech.lengths.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
    return zip(sounds, digests)
      .filter { $0.0.kind.split == split && lengths.contains($0.0.seconds) }
      .sorted { (abs($0.0.seconds - 4), $0.0.id) < (abs($1.0.seconds - 4), $1.0.id) }
      .map { Recording($0, digest: $1) }
  }
}

extension [Utterance] {
  /// So many of the utterances, and as many stretches of some of one voice, spread evenly.
  public func recordings(_ count: Int, joining length: Int, root: String) -> [Recording] {
    let starts = indices.filter {
      $0 + length <= self.count && self[$0].voice == self[$0 + length - 1].voice
    }
    return spread(count).map { Recording([$0], root: root) }
      + starts.spread(count).map { Recording(Array(self[$0..<($0 + length)]), root: root) }
  }
}
