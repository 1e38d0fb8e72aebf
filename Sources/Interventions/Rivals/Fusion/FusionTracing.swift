// Causal tracing of the fusion of sound and text (arXiv 2603.13768): clean activations of text positions go
// into the run that hears silence, layer by layer; beside them those of the sound's positions, which that
// procedure leaves out (`paper/definitions.md`, D167).

import Corpus
import Speech
import Tensor

/// Which positions of the language model are patched together.
public enum FusionPlace: String, Codable, Sendable, CaseIterable {
  /// The last position of the prompt, which says the answer.
  case last
  /// Everything behind the sound, the last position among it.
  case text
  /// All of the sound.
  case sound
}

/// What the silent run says with one place patched at each depth.
public struct FusionCurve: Codable, Sendable {
  /// How many layers of the language model lie below the patch.
  public let depths: [Double]
  /// With the clean run's activations, one for each depth.
  public let source: [Outcome]
  /// With those of the clean run of an unrelated item that is asked the same, moved as far.
  public let unrelated: [Outcome]

  public init(depths: [Double], source: [Outcome], unrelated: [Outcome]) {
    (self.depths, self.source, self.unrelated) = (depths, source, unrelated)
  }
}

/// The tracing of one recording.
public struct FusionReading: Codable, Sendable {
  /// Layers of the language model.
  public let layers: Int
  public let clean: Outcome
  public let silent: Outcome
  /// One for each of `FusionPlace.allCases`.
  public let curves: [FusionCurve]
  /// Recoveries at half depth and behind the last layer with all positions patched: from the run itself,
  /// which must give 0, and from the clean run, which must give 1.
  public let selfPatched: [Double]
  public let allPatched: [Double]

  public init(
    layers: Int, clean: Outcome, silent: Outcome, curves: [FusionCurve], selfPatched: [Double] = [],
    allPatched: [Double] = []
  ) {
    (self.layers, self.clean, self.silent, self.curves) = (layers, clean, silent, curves)
    (self.selfPatched, self.allPatched) = (selfPatched, allPatched)
  }

  public subscript(place: FusionPlace) -> FusionCurve {
    curves[FusionPlace.allCases.firstIndex(of: place)!]
  }

  /// (P_patch - P_corr) / (P_clean - P_corr) at each depth of a place, never clipped.
  public func recovery(_ place: FusionPlace, _ metric: Metric) -> [Double] {
    self[place].source.map { metric.recovery(of: $0, from: silent, to: clean) ?? .nan }
  }

  /// Whether the recording enters: the clean run gives its answer and silence takes it away, by the smallest
  /// gap in nats and in probability too (`paper/definitions.md`, D17).
  public func enters(minimumGap: Double) -> Bool {
    PairFilter(minimumGap: minimumGap, needsFoil: false)
      .reason(clean: clean.logitDifference, corrupt: silent.logitDifference) == nil
      && clean.probability > silent.probability
  }

  /// The residual stream with so many layers below.
  static func site(below depth: Int) -> Site {
    depth == 0 ? Site(.lm, .embed) : Site(.lm, depth - 1, .residPost)
  }
}

extension SpeechModel {
  /// Patches the run that hears silence, as long as the clean recording, with the clean run's activations.
  /// Where the sound decides which frames become tokens, the silent run keeps the clean run's.
  ///
  /// - Parameters:
  ///   - other: the pair whose clean member is the matched control
  ///   - every: how many layers lie between two depths at which text and sound are patched; the last
  ///     position is patched behind every layer
  ///   - root: the folder below which the recordings lie
  /// - Throws: where a recording is unusable, or the control is asked something else or answers the same.
  public func fusionTracing(
    of pair: MinimalPair, unrelated other: MinimalPair, every: Int = 1, root: String
  ) throws -> FusionReading {
    guard other.prompt == pair.prompt,
      ![pair.answers.clean, pair.answers.corrupt].contains(other.answers.clean)
    else {
      throw CellError(
        "pair \(pair.id): the control \(other.id) is asked something else or has one of the pair's "
          + "answers; give a pair with the same prompt and other answers")
    }
    func asked(_ wave: Waveform) throws -> Question {
      try question(wave, pair.prompt, answers: pair.answers, of: pair.id)
    }
    let heard = try pair.clean.waveform(root: root)
    let silence = Waveform(
      samples: [Float](repeating: 0, count: heard.samples.count), rate: heard.rate)
    let clean = try model.trace(asked(heard))
    return try model.fusionTracing(
      clean: clean, silent: model.trace(asked(silence).keepingFrames(of: clean)),
      unrelated: model.trace(asked(other.clean.waveform(root: root))),
      shift: other.onset - pair.onset, every: every)
  }
}

extension AudioLanguageModel {
  /// The same of three runs.
  ///
  /// - Parameters:
  ///   - unrelated: the matched control, of any length
  ///   - shift: how much later a moment of the silent run is there, in milliseconds
  public func fusionTracing(
    clean: Trace, silent: Trace, unrelated: Trace, shift: Double, every: Int
  ) throws -> FusionReading {
    let layers = lm.config.layers
    guard (1...layers).contains(every) else {
      throw CellError("a patch behind every \(every) layers; give 1 to \(layers)")
    }
    let spans = try silent.place(of: FusionReading.site(below: 0)).spans
    guard clean.tokens == silent.tokens, let end = spans.lastIndex(where: { $0 != nil }),
      end + 1 < spans.count
    else {
      throw CellError(
        "the clean run has \(clean.tokens) positions and the silent one \(silent.tokens); give silence as "
          + "long as the recording, and a prompt whose last position lies behind the sound")
    }
    let coarse = [0] + stride(from: layers, to: 0, by: -every).reversed()
    let donors = [
      Donor.source(clean), .unrelated(unrelated, shift: shift, matching: clean),
    ]
    func said(_ donor: Donor, _ positions: [Int], _ depths: [Int], skipping: Bool = true) throws
      -> [Outcome]
    {
      let patches = try depths.map { depth -> [Patch] in
        let site = FusionReading.site(below: depth)
        guard let rows = try donor.rows(for: Cell(site), positions, silent) else {
          throw CellError("\(site): the donor lacks positions; give runs of one length")
        }
        return [Patch(site, positions: positions, taking: rows)]
      }
      return try patched(silent, patches, skipping: skipping)
    }
    let curves = try FusionPlace.allCases.map { place -> FusionCurve in
      let (positions, depths): ([Int], [Int]) =
        switch place {
        case .last: ([spans.count - 1], Array(0...layers))
        case .text: (Array((end + 1)..<spans.count), coarse)
        case .sound: (spans.indices.filter { spans[$0] != nil }, coarse)
        }
      let found = try donors.map { try said($0, positions, depths) }
      return FusionCurve(
        depths: depths.map(Double.init), source: found[0], unrelated: found[1])
    }
    func integrity(_ donor: Trace) throws -> [Double] {
      try said(.source(donor), Array(spans.indices), [layers / 2, layers], skipping: false).map {
        Metric.logitDifference.recovery(of: $0, from: silent.outcome, to: clean.outcome) ?? .nan
      }
    }
    return FusionReading(
      layers: layers, clean: clean.outcome, silent: silent.outcome, curves: curves,
      selfPatched: try integrity(silent), allPatched: try integrity(clean))
  }
}
