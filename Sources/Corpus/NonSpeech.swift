// Sounds that are not speech, made when they are needed: each is a function of its kind, length, level
// and the name of its random numbers, in Double and in a fixed order (`paper/definitions.md`, D102).
//
// Kinds, and not sounds, belong to a split: what is chosen on some kinds is tested on others.

import JSON
import Speech
import Tensor

/// One sound that is not speech.
public struct NonSpeech: Sendable, Equatable {
  public let id: String
  public let kind: Kind
  /// Whole or half seconds, 1 to 30.
  public let seconds: Double
  /// The largest magnitude of its 16-bit samples.
  public let peak: Int
  /// Names its random numbers.
  public let seed: String

  public init(id: String, kind: Kind, seconds: Double, peak: Int, seed: String) {
    self.id = id
    self.kind = kind
    self.seconds = seconds
    self.peak = peak
    self.seed = seed
  }

  public enum Family: String, Sendable, CaseIterable {
    case noise, hum, clicks, tones, music, reverberation, silence
  }

  public enum Kind: String, Sendable, CaseIterable {
    case white, pink, brown, blue, band, wind
    case hum50 = "hum-50"
    case hum60 = "hum-60"
    case regularClicks = "regular-clicks"
    case poissonClicks = "poisson-clicks"
    case sine, chirp, beeps
    case melody, organ, chords
    case knocks, bursts
    case dither
    case nearSilence = "near-silence"
    case roomTone = "room-tone"

    public var family: Family {
      switch self {
      case .white, .pink, .brown, .blue, .band, .wind: .noise
      case .hum50, .hum60: .hum
      case .regularClicks, .poissonClicks: .clicks
      case .sine, .chirp, .beeps: .tones
      case .melody, .organ, .chords: .music
      case .knocks, .bursts: .reverberation
      case .dither, .nearSilence, .roomTone: .silence
      }
    }

    public var split: String {
      switch self {
      case .white, .pink, .hum50, .regularClicks, .chirp, .melody, .dither: "discovery"
      case .brown, .hum60, .poissonClicks, .sine, .organ, .knocks, .nearSilence: "validation"
      case .blue, .band, .wind, .beeps, .chords, .bursts, .roomTone: "test"
      }
    }
  }
}

// ## The set

extension NonSpeech {
  /// The lengths of every kind's sounds, so that each has an equally long one of every other kind.
  public static let lengths = [1, 1.5, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 30]

  /// The set as it is planned; the manifest is what counts.
  public static var planned: [NonSpeech] {
    Kind.allCases.flatMap { kind in
      lengths.enumerated().map { i, seconds in
        let number = i + 1 < 10 ? "0\(i + 1)" : "\(i + 1)"
        let name = "\(kind.rawValue)-\(number)"
        var random = Random(seed: 1).split("non-speech levels").split(name)
        return NonSpeech(
          id: name, kind: kind, seconds: seconds, peak: kind.peak(&random), seed: name)
      }
    }
  }

  /// The 16-bit samples at 16 kHz.
  public var samples: [Int16] {
    var random = Random(seed: 1).split("non-speech").split(kind.rawValue).split(seed)
    let shape = kind.shape(Int(seconds * 16_000), &random)
    let top = shape.reduce(0) { max($0, abs($1)) }
    precondition(top > 0, "\(id) is silent")
    let scale = Double(peak) / top
    return shape.map { Int16(($0 * scale).rounded(.toNearestOrEven)) }
  }

  public var waveform: Waveform { Waveform(pcm: samples) }
}

extension NonSpeech.Kind {
  /// 36 to 3 dB below full scale; silences have a few steps of 16 bits.
  fileprivate func peak(_ random: inout Random) -> Int {
    switch self {
    case .dither, .nearSilence: return 1
    case .roomTone: return 2 + random.below(7)
    default:
      let level = random.uniform(-36 ... -3)
      let tenth = 0.115_129_254_649_702_28  // ln 10 / 20
      return Int((32768 * Elementary.exp(level * tenth)).rounded())
    }
  }
}

// ## Reading

/// The sounds that a manifest lists.
public struct NonSpeechSet: Sendable {
  public let sounds: [NonSpeech]
  /// SHA-256 of the samples of each, in hexadecimal digits.
  public let digests: [String]

  /// - Throws: an error that names the manifest and the entry, where one is incomplete or contradicts
  ///   its kind.
  public init(manifest path: String) throws {
    var (sounds, digests): ([NonSpeech], [String]) = ([], [])
    var seen: Set<String> = []
    let json = try readJSON(path)
    guard let entries = json["sounds"]?.elements else {
      throw JSONError(
        "\(path): should have a list of \"sounds\"; write it with reproduce sounds --write")
    }
    for (i, entry) in entries.enumerated() {
      let id = entry["id"]?.string ?? "sound \(i)"
      do {
        let sound = try NonSpeech(entry, id: id)
        guard seen.insert(id).inserted else { throw JSONError("is there twice; name them apart") }
        sounds.append(sound)
        digests.append(try entry.string("samplesDigest"))
      } catch {
        throw JSONError("\(path): \(id): \(error)")
      }
    }
    guard !sounds.isEmpty else {
      throw JSONError("\(path): lists no sound; write it with reproduce sounds --write")
    }
    (self.sounds, self.digests) = (sounds, digests)
  }
}

extension NonSpeech {
  fileprivate init(_ json: JSON, id: String) throws {
    let name = try json.string("kind")
    guard let kind = Kind(rawValue: name) else {
      let kinds = Kind.allCases.map(\.rawValue).joined(separator: ", ")
      throw JSONError("no kind \(quoted(name)); there are \(kinds)")
    }
    let (seconds, peak) = (try json.double("seconds"), try json.int("peak"))
    guard (1...30).contains(seconds), (1...32_767).contains(peak) else {
      throw JSONError("\(seconds) s with a peak of \(peak); give 1 to 30 s and 1 to 32767")
    }
    guard try json.string("split") == kind.split else {
      throw JSONError("sounds of kind \(name) belong to \(kind.split), all of them")
    }
    self.init(id: id, kind: kind, seconds: seconds, peak: peak, seed: try json.string("seed"))
  }
}
