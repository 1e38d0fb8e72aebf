// A recording in noise heard with every intervention (`paper/definitions.md`, D140 and D141).

import Speech
import Tensor

/// What a model writes for one recording, by intervention, strength and draw.
public struct HeardInNoise: Codable, Sendable {
  private var texts: [String: [String]] = [:]
  /// Whether the activations of the run itself, put into it like any donor's, leave its text as it is.
  public internal(set) var isInert = true
  /// Whether all of the connector's output from a donor's run gives the donor's text, of each donor that has
  /// one; nothing where the sound decides which frames are kept.
  public internal(set) var carriesAll: [Bool] = []

  public init() {}

  /// What is written; one text a draw.
  public subscript(arm: NoiseArm, strength: NoiseStrength) -> [String] {
    get { texts["\(arm.name) | \(strength)"] ?? [] }
    set { texts["\(arm.name) | \(strength)"] = newValue }
  }
}

/// An intervention with the strength with which it is tried.
public struct NoiseTrial: Hashable, Sendable {
  public let arm: NoiseArm
  public let strength: NoiseStrength
  public init(_ arm: NoiseArm, _ strength: NoiseStrength) {
    (self.arm, self.strength) = (arm, strength)
  }
}

extension NoiseListener {
  /// Hears a recording with some interventions.
  ///
  /// - Parameters:
  ///   - random: of draws, which are the same for every recording
  public func hear(
    _ recording: NoisyRecording, _ trials: [NoiseTrial], _ tools: NoiseTools, _ rules: NoiseRules,
    root: String, _ random: Random
  ) throws -> HeardInNoise {
    let hearing = try NoiseRun(self, recording, tools, rules, root: root, random)
    var heard = HeardInNoise()
    for trial in trials {
      heard[trial.arm, trial.strength] = try hearing.texts(trial)
    }
    (heard.isInert, heard.carriesAll) = (try hearing.isInert(), try hearing.carriesAll())
    return heard
  }
}

/// One recording with the runs that activations are taken from.
private struct NoiseRun<Speech: NoiseListener> {
  let speech: Speech
  let tools: NoiseTools
  let rules: NoiseRules
  let random: Random
  let wave: Waveform
  /// What writes the recording's text.
  let write: (SpeakingTap?) throws -> String
  let base: Trace
  /// Runs that keep the frames of the base run.
  let donors: [NoiseDonor: Trace]

  init(
    _ speech: Speech, _ recording: NoisyRecording, _ tools: NoiseTools, _ rules: NoiseRules,
    root: String, _ random: Random
  ) throws {
    (self.speech, self.tools, self.rules, self.random) = (speech, tools, rules, random)
    let wave = try recording.noisy(root: root)
    self.wave = wave
    write = try speech.writer(of: speech.asked(wave))
    let base = try speech.heard(wave)
    self.base = base
    donors = [
      .denoised: try speech.heard(wave.denoised(by: rules.donorSuppression), like: base),
      .oracle: try speech.heard(recording.clean(root: root), like: base),
    ]
  }

  func texts(_ trial: NoiseTrial) throws -> [String] {
    switch trial.arm {
    case .nothing: return [try write(nil)]
    case .denoiser:
      let less = try wave.denoised(by: Int(trial.strength.amount))
      return [try speech.writer(of: speech.asked(less))(nil)]
    case .neurons(let choice, let change):
      let sets = try neurons(choice, change, percent: trial.strength.amount)
      return try sets.map { try write(changing(change, $0)) }
    case .part(let choice, let donor):
      let there = DoubleMatrix(try connector(of: donors[donor]!))
      return try texts(choice, tools.lexical, size: trial.strength.amount) { directions, here in
        directions.move(.subspace, from: here, to: there).scaled(by: trial.strength.share)
      }
    case .shrink(let choice):
      let (mean, share) = (tools.natural.mean, trial.strength.share)
      return try texts(choice, tools.noise, size: trial.strength.amount) { directions, here in
        directions.projection(of: here.subtracting(mean)).scaled(by: -share)
      }
    case .recentre(let choice):
      let (mean, share) = (tools.natural.mean, trial.strength.share)
      return try texts(choice, tools.noise, size: trial.strength.amount) { directions, here in
        let middle = DoubleMatrix(
          rows: here.rows, columns: here.columns,
          [[Double]](repeating: here.columnMeans, count: here.rows).flatMap { $0 })
        return directions.projection(of: middle.subtracting(mean)).scaled(by: -share)
      }
    case .whole(.mean):
      let mean = tools.natural.mean.map { Float($0) }
      let rows = try connector(of: base).rows
      return [
        try write(putting(Tensor([rows, mean.count], (0..<rows).flatMap { _ in mean })))
      ]
    case .whole(let donor): return [try write(putting(connector(of: donors[donor]!)))]
    }
  }

  // ## Neurons

  /// The neurons of a choice; several sets where they are drawn.
  private func neurons(_ choice: NoiseChoice, _ change: NeuronChange, percent: Double) throws
    -> [NeuronSet]
  {
    let all = tools.mending.reduce(0) { $0 + $1.count }
    let causal = NeuronSet(highest: Int(Double(all) * percent / 100), of: tools.mending)
    switch choice {
    case .causal: return [causal]
    case .sensitive:
      // Nobody has the recording without noise, so that it is the reference where it is the donor alone.
      let reference = donors[change == .patch(.oracle) ? .oracle : .denoised]!
      let apart = try sensitivity(of: neurons(of: base), against: neurons(of: reference))
      return [NeuronSet(highest: causal.count, of: apart)]
    case .drawn:
      return (0..<rules.draws).map {
        causal.drawn(of: tools.mending[0].count, random.split("neurons").split($0))
      }
    }
  }

  private func neurons(of run: Trace) throws -> [Tensor] {
    try speech.neuronSites.map { try speech.sound(of: run, at: $0) }
  }

  /// What changes neurons at every position of the sound.
  private func changing(_ change: NeuronChange, _ set: NeuronSet) throws -> SpeakingTap {
    let value: (_ layer: Int, _ position: Int, _ neuron: Int, _ own: Float) -> Float
    switch change {
    case .prune: value = { _, _, _, _ in 0 }
    case .bias:
      let bias = Float(rules.bias)
      value = { $3 + bias }
    case .patch(.mean):
      let means = tools.means
      value = { layer, _, neuron, _ in Float(means[layer][neuron]) }
    case .patch(let donor):
      let theirs = try neurons(of: donors[donor]!)
      value = { layer, position, neuron, _ in theirs[layer][position, neuron] }
    }
    return try changing(set, to: value)
  }

  private func changing(
    _ set: NeuronSet, to value: @escaping (Int, Int, Int, Float) -> Float
  ) throws -> SpeakingTap {
    let sites = speech.neuronSites
    let rows = try sites.map { try speech.soundRows(of: base, at: $0) }
    return SpeakingTap(Set(sites.indices.filter { !set.byLayer[$0].isEmpty }.map { sites[$0] })) {
      site, x, _ in
      let layer = sites.firstIndex(of: site)!
      var numbers = x.numbers
      for (position, row) in rows[layer].enumerated() {
        for neuron in set.byLayer[layer] {
          let place = row * x.width + neuron
          numbers[place] = value(layer, position, neuron, numbers[place])
        }
      }
      return Tensor(x.shape, numbers)
    }
  }

  // ## The connector's output, or the encoder's last layer

  private func connector(of run: Trace) throws -> Tensor {
    try speech.sound(of: run, at: speech.soundSite)
  }

  /// What is written where directions are moved; of drawn ones as far as of the real ones.
  ///
  /// - Parameters:
  ///   - real: directions in order of importance
  ///   - move: along some directions, from the rows given
  private func texts(
    _ choice: NoiseChoice, _ real: Subspace, size: Double,
    _ move: (Subspace, DoubleMatrix) throws -> DoubleMatrix
  ) throws -> [String] {
    let own = try connector(of: base)
    let here = DoubleMatrix(own)
    let real = try real.first(min(Int(size), real.rank))
    let along = try move(real, here)
    guard choice == .drawn else { return [try write(putting(moved(own, by: along)))] }
    return try (0..<rules.draws).map { draw in
      let matched = RandomMoves(matching: real, natural: tools.natural)
      let directions = try matched.directions(.norm, random.split("directions").split(draw))
      let drawn = try move(Subspace(orthonormal: directions), here)
      return try write(
        putting(moved(own, by: drawn.rescaled(drawn.squaredNorm, to: along.squaredNorm))))
    }
  }

  /// What puts values in the place of the connector's output, [positions, width].
  private func putting(_ values: Tensor) throws -> SpeakingTap {
    let site = speech.soundSite
    let rows = try speech.soundRows(of: base, at: site)
    return SpeakingTap([site]) { _, x, _ in
      replacingRows(x, at: rows, with: values)
    }
  }

  // ## Controls

  func isInert() throws -> Bool {
    let all = NeuronSet(byLayer: tools.mending.map { Array($0.indices) })
    let own = try neurons(of: base)
    let changed = try changing(all) { layer, position, neuron, _ in own[layer][position, neuron] }
    let plain = try write(nil)
    return try write(changed) == plain && write(putting(connector(of: base))) == plain
  }

  func carriesAll() throws -> [Bool] {
    guard base.spliced == nil else { return [] }
    let site = speech.soundSite
    let rows = try base.place(of: site).rows
    return try NoiseDonor.allCases.compactMap { donor in
      guard let run = donors[donor] else { return nil }
      let all = try run.activation(of: site)
      let carried = try write(
        SpeakingTap([site]) { _, x, _ in replacingRows(x, at: rows, with: all) })
      return try carried == speech.writer(of: run.question.input)(nil)
    }
  }
}
