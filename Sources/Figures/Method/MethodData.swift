// What Figure 1 shows: the model's scheme, one minimal pair as it is heard, and what patches of it did.

import Corpus
import Interventions
import Speech

/// A member of a pair, as it sounds and as the model hears it.
public struct HeardMember: Sendable {
  public let utterance: Utterance
  public let wave: Waveform
  public let clip: Clip

  public init(_ utterance: Utterance, _ wave: Waveform, _ clip: Clip) {
    (self.utterance, self.wave, self.clip) = (utterance, wave, clip)
  }
}

/// Logit differences of a patch and of its matched control, in nats.
public struct MethodOutcome: Sendable {
  public let name: String
  /// Of the run that is patched, and of the run that the patch comes from.
  public let base: Double
  public let source: Double
  public let patched: Double
  public let control: Double

  public init(_ name: String, base: Double, source: Double, patched: Double, control: Double) {
    (self.name, self.base, self.source) = (name, base, source)
    (self.patched, self.control) = (patched, control)
  }

  /// The share of the gap that the patch moves towards the source, and that its control moves.
  public var recovery: Double { (patched - base) / (source - base) }
  public var controlRecovery: Double { (control - base) / (source - base) }
}

/// Everything that Figure 1 is drawn from. Maps are by [site][window], windows as
/// `LockedWindows.ofTime` orders them.
public struct MethodData: Sendable {
  public var scheme: [SchemeStage]
  /// How many sites the model has, and what its layers hold beside the residual stream.
  public var siteCount: Int
  public var inside: [String]
  public var pair: MinimalPair
  public var clean: HeardMember
  public var corrupt: HeardMember
  public var sites: [Site]
  public var windows: LockedWindows
  /// Recovery by exact patching, and by the search's estimate.
  public var exact: [[Double?]]
  public var search: [[Double?]]
  public var proposed: [MapCell]
  /// The cell whose patches are shown.
  public var chosen: MapCell
  public var outcomes: [MethodOutcome]
  /// Whether each word of the prompt, and the sound's end before it, is one position of the text.
  public var textIsWords = true

  public init(
    scheme: [SchemeStage], siteCount: Int, inside: [String], pair: MinimalPair,
    clean: HeardMember, corrupt: HeardMember, sites: [Site], windows: LockedWindows,
    exact: [[Double?]], search: [[Double?]], proposed: [MapCell], chosen: MapCell,
    outcomes: [MethodOutcome]
  ) {
    (self.scheme, self.siteCount, self.inside) = (scheme, siteCount, inside)
    (self.pair, self.clean, self.corrupt) = (pair, clean, corrupt)
    (self.sites, self.windows) = (sites, windows)
    (self.exact, self.search) = (exact, search)
    (self.proposed, self.chosen, self.outcomes) = (proposed, chosen, outcomes)
  }

  /// The window of the chosen cell.
  var window: Window { windows.ofTime(pair)[chosen.window] }

  /// The phones of a member, in milliseconds from the onset of the changed one.
  func phones(of member: HeardMember) -> [PhoneSpan] {
    member.utterance.phones.enumerated().map { i, phone in
      PhoneSpan(
        label: phone.label == "pau" ? "" : ipa(phone.label), start: phone.start - pair.onset,
        end: phone.end - pair.onset, changed: i == pair.changedPhone)
    }
  }
}

/// What is drawn of a pair's sound: from before the first phone to behind the last, in milliseconds from
/// the onset of the changed phone.
struct PairSound {
  /// Borders of the columns of the log-mel images, each of two frames.
  let edges: [Double]
  let clean: Picture
  let corrupt: Picture
  /// The mean over bands of how far the members' log-mels are apart, in dB, by frame.
  let difference: [(time: Double, value: Double)]

  struct Picture {
    /// The lowest and the highest sample of each stretch of `step` milliseconds, and its middle.
    let envelope: [(time: Double, low: Double, high: Double)]
    /// Log-mel power in dB, by [four bands][two frames], the lowest bands first.
    let mel: [[Double]]
  }

  /// Milliseconds of a stretch of the envelope.
  static let step = 4.0

  /// A log-mel feature is (log10 of power + 4) / 4.
  private static let decibels = 40.0

  init(_ data: MethodData) {
    let spoken = data.pair.clean.phones.filter { $0.label != "pau" }
    let (start, end) = (spoken.first!.start - 40, spoken.last!.end + 40)
    let frames = min(data.clean.clip.validFrames, data.corrupt.clip.validFrames)
    let pairs = max(0, Int(start / 20))..<min(frames / 2, Int((end / 20).rounded(.up)))
    let onset = data.pair.onset
    // Frame t is centred on 10 t.
    let edges = (pairs.lowerBound...pairs.upperBound).map { 20 * Double($0) - 5 - onset }

    func picture(_ member: HeardMember) -> Picture {
      let (mel, wave) = (member.clip.mel, member.wave)
      let bands = mel.width
      let numbers = mel.numbers
      let image = (0..<(bands / 4)).map { b in
        pairs.map { t -> Double in
          let cell = [2 * t, 2 * t + 1].flatMap { frame in
            (4 * b..<4 * b + 4).map { Double(numbers[frame * bands + $0]) }
          }
          return cell.reduce(0, +) / Double(cell.count) * PairSound.decibels
        }
      }
      let perStep = wave.rate * Int(PairSound.step) / 1000
      let first = max(0, Int((edges[0] + onset) / PairSound.step))
      let count = Int((edges.last! - edges[0]) / PairSound.step)
      let envelope = (first..<(first + count)).map { i in
        let own = wave.samples.dropFirst(i * perStep).prefix(perStep)
        return (
          time: (Double(i) + 0.5) * PairSound.step - onset, low: Double(own.min() ?? 0),
          high: Double(own.max() ?? 0)
        )
      }
      return Picture(envelope: envelope, mel: image)
    }
    self.edges = edges
    (clean, corrupt) = (picture(data.clean), picture(data.corrupt))
    let (a, b) = (data.clean.clip.mel, data.corrupt.clip.mel)
    difference = (2 * pairs.lowerBound..<2 * pairs.upperBound).map { frame in
      let apart = (0..<a.width).reduce(0.0) {
        $0 + abs(Double(a[frame, $1]) - Double(b[frame, $1]))
      }
      return (10 * Double(frame) - onset, apart / Double(a.width) * PairSound.decibels)
    }
  }
}
