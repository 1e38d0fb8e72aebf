// One recording in noise, written down under many of SPIRIT's interventions, each beside drawn neurons that are
// as many in every layer (`paper/definitions.md`, D163).

import Speech
import Tensor

/// What is written under one intervention.
public struct SpiritWritten: Codable, Sendable {
  public let arm: SpiritArm
  /// One a draw where neurons are drawn, else one.
  public let texts: [String]
  /// Changed neurons of each layer.
  public let counts: [Int]
  /// The share of the squared distance between the run and its reference, over all neurons of the site and
  /// positions of the prompt, that lies in the changed neurons; mean over draws, 0 where both are one run.
  public let share: Double

  public init(_ arm: SpiritArm, texts: [String], counts: [Int], share: Double) {
    (self.arm, self.texts, self.counts, self.share) = (arm, texts, counts, share)
  }

  /// Word errors, mean over draws.
  func errors(against text: String) -> Double {
    texts.reduce(0) { $0 + Double(WordErrors(of: $1, against: text).errors) } / Double(texts.count)
  }
}

/// What a model writes for one recording.
public struct SpiritHeard: Codable, Sendable {
  /// With nothing done.
  public let plain: String
  /// By intervention, in the order in which they were asked for.
  public let written: [SpiritWritten]
  /// Whether the run's own activations, put into all neurons at every step, leave its text as it is.
  public let isInert: Bool

  public init(plain: String, written: [SpiritWritten], isInert: Bool) {
    (self.plain, self.written, self.isInert) = (plain, written, isInert)
  }

  public subscript(arm: SpiritArm) -> SpiritWritten? { written.first { $0.arm == arm } }

  /// Whether all drawn neurons are as many in every layer as those that they stand beside.
  public var drawnAreMatched: Bool {
    written.filter { $0.arm.choice == .drawn }.allSatisfy { drawn in
      self[drawn.arm.by(.sensitive)].map { $0.counts == drawn.counts } ?? true
    }
  }
}

extension SpeechModel {
  /// The gates of the language model's MLPs before the nonlinearity, layer by layer; none where its MLPs have
  /// no gate.
  public var gateSites: [Site] {
    model.sites.filter { $0.stage == .lm && $0.activation == .mlpGate }
  }

  /// Writes a recording down with some interventions.
  ///
  /// - Parameters:
  ///   - causal: what each neuron of the encoder mends (`NoiseTools.mending`), by layer and neuron; read by
  ///     interventions that choose by it
  ///   - rules: what the bias adds, how much is denoised, and how often neurons are drawn
  ///   - words: in which the transcript is asked for
  ///   - root: the folder below which the recordings lie
  ///   - random: of draws, which are the same for every recording but for their number in each layer
  /// - Throws: where an intervention cannot be made, and where the recording in noise is not as long as the
  ///   one without.
  public func spirit(
    _ recording: NoisyRecording, _ arms: [SpiritArm], causal: [[Double]]? = nil,
    _ rules: NoiseRules, asked words: String = "transcribe:", root: String, _ random: Random
  ) throws -> SpiritHeard {
    for arm in arms { try arm.check() }
    let wave = try recording.noisy(root: root)
    let base = try writing(wave, asked: words)
    let plain = tokenizer.decode(base.question.answers.shared)
    var references: [SpiritReference: Trace] = [:]
    for reference in SpiritReference.allCases
    where arms.contains(where: { $0.reference == reference }) {
      let other =
        try reference == .oracle
        ? recording.clean(root: root) : wave.denoised(by: rules.donorSuppression)
      references[reference] = try writing(other, asked: words, like: base)
    }
    let sites = SpiritSite.allCases.filter { site in arms.contains { $0.site == site } }
    let runs = try sites.map { site in
      try SpiritRun(self, recording.id, site, base, references, causal, rules, random)
    }
    let written = try arms.map { arm in
      try runs[sites.firstIndex(of: arm.site)!].written(arm, plain: plain)
    }
    return SpiritHeard(
      plain: plain, written: written, isInert: try runs.allSatisfy { try $0.isInert(plain: plain) })
  }

  /// A run of a recording and of what is written for it, which its question forces.
  ///
  /// - Parameter base: a run whose frames are kept, where the sound decides which are
  private func writing(
    _ wave: Waveform, asked words: String, like base: Trace? = nil
  ) throws -> Trace {
    func question(_ said: [Int]) throws -> Question {
      // No answer is compared; two tokens that differ stand for them.
      let asked = Question(
        try input(hearing: wave, asked: words), try Answers(answer: said + [0], foil: said + [1]))
      return base.map(asked.keepingFrames) ?? asked
    }
    let said = try transcript(question([]).input)
    return try model.trace(question(said), keeping: neuronSites + gateSites)
  }
}

/// The neurons of one site in the run of a recording and in its references.
private struct SpiritRun {
  let speech: SpeechModel
  let site: SpiritSite
  let base: Trace
  let causal: [[Double]]?
  let rules: NoiseRules
  let random: Random
  /// Positions before anything is said.
  let prompt: Int
  /// [positions, neurons] of each layer, with what each run writes itself.
  let own: [Tensor]
  let others: [SpiritReference: [Tensor]]

  init(
    _ speech: SpeechModel, _ name: String, _ site: SpiritSite, _ base: Trace,
    _ references: [SpiritReference: Trace], _ causal: [[Double]]?, _ rules: NoiseRules,
    _ random: Random
  ) throws {
    let sites = site == .encoder ? speech.neuronSites : speech.gateSites
    guard !sites.isEmpty else {
      throw CellError(
        "\(speech.folder): the MLPs of its language model have no gate; take neurons of the encoder"
      )
    }
    func neurons(_ run: Trace) throws -> [Tensor] {
      try sites.map {
        let x = try run.activation(of: $0)
        return site == .gate ? activated(x) : x
      }
    }
    func prompt(_ run: Trace, _ neurons: [Tensor]) -> Int {
      neurons[0].rows - (site == .gate ? run.question.answers.shared.count : 0)
    }
    own = try neurons(base)
    self.prompt = prompt(base, own)
    others = try references.mapValues(neurons)
    for reference in SpiritReference.allCases {
      guard let run = references[reference], let other = others[reference] else { continue }
      guard prompt(run, other) == self.prompt else {
        throw CellError(
          "recording \(name): \(self.prompt) positions in noise and \(prompt(run, other)) of the "
            + "\(reference.rawValue) run; give a recording without noise that is as long")
      }
    }
    (self.speech, self.site, self.base, self.causal) = (speech, site, base, causal)
    (self.rules, self.random) = (rules, random.split(site.rawValue))
  }

  private var sites: [Site] { site == .encoder ? speech.neuronSites : speech.gateSites }
  private var width: Int { own[0].width }

  func written(_ arm: SpiritArm, plain: String) throws -> SpiritWritten {
    let theirs = others[arm.reference]!
    let sets = try sets(arm, theirs)
    let texts = try sets.map { set in
      set.count == 0 ? plain : try text(arm, set, reference: theirs)
    }
    let distances = zip(own, theirs).map { squaredDistances($0, $1) }
    let whole = distances.reduce(0) { $0 + $1.reduce(0, +) }
    let within = sets.map { set in
      zip(distances, set.byLayer).reduce(0) { sum, layer in
        layer.1.reduce(sum) { $0 + layer.0[$1] }
      }
    }
    return SpiritWritten(
      arm, texts: texts, counts: sets[0].byLayer.map(\.count),
      share: whole > 0 ? within.reduce(0, +) / whole / Double(sets.count) : 0)
  }

  /// Of one neuron the squared distance over the prompt.
  private func squaredDistances(_ a: Tensor, _ b: Tensor) -> [Double] {
    var sums = [Double](repeating: 0, count: width)
    for position in 0..<prompt {
      for neuron in 0..<width {
        let apart = Double(a[position, neuron]) - Double(b[position, neuron])
        sums[neuron] += apart * apart
      }
    }
    return sums
  }

  /// The neurons of an intervention; several sets where they are drawn.
  private func sets(_ arm: SpiritArm, _ theirs: [Tensor]) throws -> [NeuronSet] {
    let count = arm.count(of: own.count * width)
    if arm.choice == .causal {
      guard let causal, causal.map(\.count) == own.map(\.width) else {
        throw CellError(
          "\(arm.name): needs what each of \(own.count) times \(width) neurons mends; give the mending of "
            + "this model's tools")
      }
      return [NeuronSet(highest: count, of: causal)]
    }
    let heard = Array(0..<prompt)
    let apart = sensitivity(
      of: own.map { gatherRows($0, heard) }, against: theirs.map { gatherRows($0, heard) })
    // A neuron that noise leaves alone is not sensitive to it, however few there are.
    let moved = apart.reduce(0) { $0 + $1.count { $0 > 0 } }
    let sensitive = NeuronSet(highest: min(count, moved), of: apart)
    guard arm.choice == .drawn else { return [sensitive] }
    return (0..<rules.draws).map { sensitive.drawn(of: width, random.split($0)) }
  }

  private func text(_ arm: SpiritArm, _ set: NeuronSet, reference: [Tensor]) throws -> String {
    let tap = spiritTap(
      arm, set, at: sites, prompt: prompt, rows: try sites.map { try base.place(of: $0).rows },
      bias: Float(rules.bias), reference: reference)
    var input = base.question.input
    input.forced = []
    return speech.tokenizer.decode(try speech.transcript(input, changing: tap))
  }

  func isInert(plain: String) throws -> Bool {
    let all = NeuronSet(byLayer: own.map { Array(0..<$0.width) })
    let arm = SpiritArm(site, .patch, .oracle, percent: 100, everyStep: site == .gate)
    return try text(arm, all, reference: own) == plain
  }
}
