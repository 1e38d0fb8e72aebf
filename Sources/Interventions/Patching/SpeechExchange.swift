// A sound that is not speech beside speech as long, in one recogniser: every set of cells exchanged in
// both directions, with each donor (`paper/definitions.md`, D106).

import Corpus
import Speech
import Tensor

/// What one recogniser says of a sound, of speech, and of either with the other's activations.
public struct SpeechExchange: Codable, Sendable {
  public let sound: SpeechEvidence
  public let speech: SpeechEvidence
  /// By direction, donor and set of cells.
  public fileprivate(set) var patched: [[[SpeechEvidence?]]] = []
  /// Shares of the gap: all patched from the run itself, and from the other run.
  public fileprivate(set) var selfPatched: [Double] = []
  public fileprivate(set) var allPatched: [Double] = []
}

/// Where a sound's partners come from: sounds of other kinds, and speech.
public struct ExchangePartners: Sendable {
  public let sounds: [NonSpeech]
  public let utterances: [Utterance]
  /// The folder below which the recordings lie.
  public let root: String

  public init(sounds: [NonSpeech], utterances: [Utterance], root: String) {
    (self.sounds, self.utterances, self.root) = (sounds, utterances, root)
  }

  /// Speech of one voice: its utterances one after another, from the `first`-th on, so many samples.
  ///
  /// - Parameter voice: its place among the voices, which are counted round
  func speech(_ voice: Int, from first: Int, count: Int) throws -> Waveform {
    let voices = Set(utterances.map(\.voice)).sorted()
    let own = utterances.filter { $0.voice == voices[voice % voices.count] }
    var samples: [Float] = []
    var next = first
    while samples.count < count {
      samples += try own[next % own.count].waveform(root: root).samples
      next += 1
    }
    return Waveform(samples: Array(samples[..<count]))
  }

  /// A sound of another kind that is as long.
  func stranger(to sound: NonSpeech, _ place: Int) -> NonSpeech {
    let alike = sounds.filter { $0.seconds == sound.seconds && $0.kind != sound.kind }
    return alike[(7 * place) % alike.count]
  }
}

extension Recogniser {
  /// Exchanges a sound with speech as long.
  ///
  /// - Parameters:
  ///   - place: of the sound in its list, by which its partners are chosen
  ///   - mean: over sounds of that length
  public func exchange(
    _ sound: NonSpeech, _ place: Int, _ partners: ExchangePartners, mean: MeanActivations
  ) throws -> SpeechExchange {
    let sets = SpeechCells(of: model, seconds: sound.seconds)
    func trace(_ wave: Waveform) throws -> Trace {
      try model.trace(speechQuestion(model.clip(wave)), keeping: sets.sites)
    }
    let count = sound.samples.count
    let own = try trace(sound.waveform)
    let other = try trace(partners.stranger(to: sound, place).waveform)
      .reduced(to: Set(sets.sites))
    let talk = try trace(partners.speech(place, from: 11 * place, count: count))
    let otherTalk = try trace(partners.speech(place + 1, from: 11 * place + 5, count: count))
      .reduced(to: Set(sets.sites))

    var result = SpeechExchange(sound: try evidence(in: own), speech: try evidence(in: talk))
    for direction in Direction.allCases {
      let isSound = direction == .sufficiency
      let (here, there) = isSound ? (own, talk) : (talk, own)
      let stranger = isSound ? other : otherTalk
      result.patched.append(
        try SpeechDonor.allCases.map { donor in
          try sets.evidence(
            of: self, here, from: there, donor: donor, stranger: stranger, mean: mean)
        })
      let (from, to) = isSound ? (result.sound, result.speech) : (result.speech, result.sound)
      for (source, isOwn) in [(here, true), (there, false)] {
        let patched = try evidence(here, with: sets.cuts(of: model, here, from: source))
        let shares = SpeechEvidence.Reading.allCases.flatMap { reading in
          patched.map { ($0[reading] - from[reading]) / (to[reading] - from[reading]) }
        }
        if isOwn { result.selfPatched += shares } else { result.allPatched += shares }
      }
    }
    return result
  }
}
