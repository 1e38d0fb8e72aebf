// One sentence in every condition, and every condition of it put into every other, layer by layer
// (`paper/definitions.md`, D166).

import Corpus
import Speech
import Tensor

/// How the conditions of a sentence are made from its recordings.
public struct ConditionSettings: Sendable {
  /// White noise, in dB.
  public var noise = 5.0
  /// How much slower, and as much lower, the sound of `Condition.prosody` is played: a ratio of whole
  /// numbers.
  public var slowing = (over: 5, under: 4)

  public init() {}

  var stretch: Double { Double(slowing.over) / Double(slowing.under) }
}

/// A run of one sentence in one condition, and where its phones lie.
public struct ConditionRun: Sendable {
  public let trace: Trace
  /// Milliseconds at which phones begin, and at which the last one ends.
  public let boundaries: [Double]
  /// From the onset of the changed phone on for 120 ms, or to its end where it is longer; as much
  /// longer as the condition is slower.
  public let moment: (start: Double, end: Double)

  /// Which moment of another condition's run of the same sentence stands for one of this run: position
  /// for position where both have the same boundaries, else phone by phone.
  public func alignment(to source: ConditionRun) throws -> Alignment {
    boundaries == source.boundaries
      ? .identity
      : try .segments(base: boundaries, source: source.boundaries, name: "phones")
  }

  /// The same of another sentence: from the onset of the changed phone there, at its own pace.
  public func alignment(toUnrelated other: ConditionRun, like source: ConditionRun) throws
    -> Alignment
  {
    let length = source.moment.end - source.moment.start
    return try .segments(
      base: [moment.start, moment.end],
      source: [other.moment.start, other.moment.start + length], name: "changed phone")
  }
}

extension SpeechModel {
  /// One text of a factorial pair in one condition.
  ///
  /// - Parameters:
  ///   - isCorrupt: whether it is the corrupt member's text, else the clean one's
  ///   - asked: the pair whose question and answers are read; `pair` itself where nil
  ///   - sites: what the run keeps beside its cuts
  /// - Throws: where the pair has no second speaker, or the model does not keep the sound's positions.
  public func run(
    _ pair: MinimalPair, in condition: Condition, isCorrupt: Bool = false,
    asked: MinimalPair? = nil, _ settings: ConditionSettings, keeping sites: [Site] = [],
    root: String
  ) throws -> ConditionRun {
    guard let crossed = pair.crossed else {
      throw CellError(
        "pair \(pair.id): has no crossed members, so no second speaker; take factorial pairs")
    }
    guard model.branchSites.isEmpty, !(config is SoundwaveConfig) else {
      throw CellError(
        "\(folder): hears through two encoders, or keeps frames as it hears them, so that conditions "
          + "share no positions; take a model whose sound passes through one encoder in its own time"
      )
    }
    let (over, under) = settings.slowing
    let rate = Waveform.modelRate
    guard (1...100).contains(over), (1...100).contains(under), rate * under % over == 0,
      (-60...60).contains(settings.noise)
    else {
      throw CellError(
        "conditions: noise of \(settings.noise) dB, slower by \(over)/\(under); take -60 to 60 dB, and a "
          + "ratio such as 5/4 at which \(rate) samples a second stay a whole number")
    }
    let utterance =
      condition == .speaker
      ? (isCorrupt ? pair.corrupt : crossed.text) : (isCorrupt ? crossed.speaker : pair.clean)
    let own = try utterance.waveform(root: root)
    let wave: Waveform
    switch condition {
    case .clean, .speaker: wave = own
    case .noise:
      let noise = Corruption.noise(ratio: settings.noise, seed: 0)
      wave = try noise.sound(of: own, pair: utterance.id)!
    case .prosody:
      wave = try Waveform(samples: own.samples, rate: rate * under / over).resampled(to: rate)
    }
    let asked = asked ?? pair
    let question = try question(
      wave, asked.prompt, answers: (asked.answers.clean, asked.answers.corrupt),
      of: "\(pair.id), \(condition.rawValue)")
    let stretch = condition == .prosody ? settings.stretch : 1
    let phones = utterance.phones
    let times = phones.map(\.start) + phones.suffix(1).map(\.end)
    let changed = phones[pair.changedPhone]
    return ConditionRun(
      trace: try model.trace(question, keeping: sites), boundaries: times.map { stretch * $0 },
      moment: (
        stretch * changed.start,
        stretch * max(changed.start + TaskWindows.locked.width, changed.end)
      ))
  }

  /// Every condition of a sentence put into every other, at the changed phone's moment.
  ///
  /// - Parameters:
  ///   - pair: factorial; its clean member's text is what all conditions say
  ///   - other: the pair whose text lends the matched control, in the source's condition
  ///   - sites: residual ones, from sound to text
  public func conditionReading(
    of pair: MinimalPair, unrelated other: MinimalPair, sites: [Site],
    _ settings: ConditionSettings, root: String
  ) throws -> ConditionReading {
    let conditions = Condition.allCases
    let runs = try conditions.map { try run(pair, in: $0, settings, root: root) }
    let strangers = try conditions.map {
      try run(other, in: $0, asked: pair, settings, root: root)
    }
    var reading = ConditionReading(
      id: pair.id, group: pair.group, said: runs.map(\.trace.logitDifference))
    for (s, source) in runs.enumerated() {
      for (b, base) in runs.enumerated() where s != b {
        let cells = sites.map { Cell($0, .milliseconds(base.moment.start, base.moment.end)) }
        let selections = try cells.map {
          try Selection(
            $0, base: base.trace, source: source.trace, base.alignment(to: source))
        }
        let lent = try base.alignment(toUnrelated: strangers[s], like: source)
        let matched = try selections.map { selection -> Patch? in
          guard let selection else { return nil }
          return try model.control(
            .wrongItem, of: selection, base: base.trace, source: source.trace,
            stranger: (strangers[s].trace, lent), Random(seed: 0))
        }
        reading.edges.append(
          ConditionTransfer(
            source: conditions[s], base: conditions[b],
            patched: try said(base.trace, selections.map { $0?.patch() }),
            unrelated: try said(base.trace, matched)))
      }
    }
    let (clean, noisy, speaker) = (runs[0], runs[1], runs[2])
    reading.mixed = try mixtures(of: [clean, noisy, speaker], into: noisy)
    // What all of a site says must be what the source says.
    let whole = try model.patched(
      noisy.trace,
      try sites.map {
        [try Selection(Cell($0), base: noisy.trace, source: clean.trace, .identity)!.patch()]
      },
      skipping: false)
    reading.wholeError = whole.map { abs($0.logitDifference - clean.trace.logitDifference) }
    // The exchange of texts, all clean, that temporal attribution patching is about.
    let corrupt = try run(pair, in: .clean, isCorrupt: true, settings, root: root)
    let moment = Window.milliseconds(clean.moment.start, clean.moment.end)
    let (right, wrong) = (clean.trace, corrupt.trace)
    func exchanged(_ base: Trace, _ source: Trace) throws -> [Double?] {
      try model.patched(base, from: source, cells: sites.map { [Cell($0, moment)] })
    }
    reading.texts = ConditionTexts(
      corrupt: wrong.logitDifference, restored: try exchanged(wrong, right),
      broken: try exchanged(right, wrong))
    return reading
  }

  /// What a run says with each patch; nil where there is none.
  private func said(_ base: Trace, _ patches: [Patch?]) throws -> [Double?] {
    var found = try model.patched(base, patches.compactMap { $0.map { [$0] } })[...]
    return patches.map { $0 == nil ? nil : found.removeFirst().logitDifference }
  }

  /// Mixtures of three conditions' activations at the connector, in the moment, and the way from the base
  /// run to the first condition's.
  private func mixtures(of runs: [ConditionRun], into base: ConditionRun) throws -> ConditionMap {
    let cell = Cell(
      SpeechModel.transferSite, .milliseconds(base.moment.start, base.moment.end))
    let contents = try runs.map { run in
      try Selection(
        cell, base: base.trace, source: run.trace, base.alignment(to: run), strict: true)!
    }
    var map = ConditionMap()
    try mix(contents, of: runs[0].trace, into: base.trace, &map)
    return map
  }
}
