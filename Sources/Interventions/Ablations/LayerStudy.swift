// One depth of a model: what the changed phone's moment carries there, whole and along five directions,
// what probes read, and how many features one phone explains (`paper/definitions.md`, D149).

import Corpus
import Speech
import Tensor

/// What is carried at one site.
public struct LayerReading: Codable, Sendable {
  public let site: String
  public let width: Int
  /// Of the whole site, in both directions.
  public let sufficiency: Estimate
  public let necessity: Estimate
  /// The method whose K directions recover most on the fitting split, and what they do on held-out pairs.
  public let method: String
  public let part: PartCurve
  public let phone: ProbeReading
  public let speaker: ProbeReading
  /// Features that were trained; the same with shuffled phones; and those of a drawn dictionary.
  public let features: PhoneFeatures
  public let shuffled: PhoneFeatures
  public let drawn: PhoneFeatures
  public let explainedVariance: Double

}

/// What probes are trained on and tried on at every depth: phones of other sentences, and speakers of whom
/// each says every sentence.
public struct DepthProbes: Sendable {
  let phones: FitAndHeld<PhoneSet>
  /// By tried phone.
  let groups: [String]
  let voices: [Utterance]
  /// Of `voices`, those of every second sentence and the others.
  let halves: FitAndHeld<[Int]>

  /// - Parameters:
  ///   - recordings: those whose phones are trained on, and tried
  ///   - groups: the resampling unit of each tried recording
  ///   - count: how many occurrences of a phone, in both; phones with fewer to train on are left out
  ///   - voices: of the same sentences by every speaker
  public init(
    _ recordings: FitAndHeld<[Utterance]>, groups: [String], each count: Int, voices: [Utterance]
  ) {
    let fit = PhoneSet(recordings.fit, each: count)
    let held = PhoneSet(recordings.held, each: count, known: Set(fit.labels), all: true)
    phones = FitAndHeld(fit: fit, held: held)
    self.groups = held.places.map { groups[$0.recording] }
    self.voices = voices
    let texts = Set(voices.map(\.text)).sorted()
    let even = Set(texts.indices.filter { $0 % 2 == 0 }.map { texts[$0] })
    func half(_ isEven: Bool) -> [Int] {
      voices.indices.filter { even.contains(voices[$0].text) == isEven }
    }
    halves = FitAndHeld(fit: half(true), held: half(false))
  }

  func phone(
    _ heard: FitAndHeld<SiteSamples>, shuffles: Int, draws: Int, _ random: Random
  ) throws -> ProbeReading {
    try ProbeReading(
      fit: phones.fit.samples(at: heard.fit), test: phones.held.samples(at: heard.held),
      groups: groups, shuffles: shuffles, draws: draws, random)
  }

  func speaker(_ samples: SiteSamples, shuffles: Int, draws: Int, _ random: Random) throws
    -> ProbeReading
  {
    let sets = halves.map { half in
      LabelledSamples(half.map { samples.means[$0] }, labels: half.map { voices[$0].voice })
    }
    return try ProbeReading(
      fit: sets.fit, test: sets.held, groups: halves.held.map { voices[$0].text },
      shuffles: shuffles, draws: draws, random)
  }
}

extension PartMaterial {
  /// Everything that is said of one depth.
  ///
  /// - Parameters:
  ///   - methods: of which the best finds the directions
  ///   - size: how many directions
  ///   - voices: of the recordings of `probes.voices`, at this site
  ///   - setting: of the autoencoder
  ///   - families: draws of each random family
  ///   - draws: bootstrap samples
  public func reading(
    by methods: [SubspaceMethod], size: Int, probes: DepthProbes, voices: SiteSamples,
    setting: SparseSetting, steps: Int, batch: Int, shuffles: Int, families: Int, draws: Int,
    _ random: Random
  ) throws -> LayerReading {
    let whole = try whole(draws: draws, random.split("whole"))
    let best = try study.best(
      of: methods, size: size, on: pairs.fit.sufficiency, random.split("directions"))
    let width = study.width
    let numbers = try setting.trained(
      on: heard.fit.samples, steps: steps, batch: batch, seeds: [1], random.split("autoencoder"))
    let autoencoder = setting.autoencoders(numbers, seeds: 1, width: width)[0]
    func features(_ one: SparseAutoencoder, _ name: String, isShuffled: Bool = false) throws
      -> PhoneFeatures
    {
      func data(_ heard: SiteSamples, _ name: String) -> (samples: Tensor, phones: [String]) {
        var stream = random.split("shuffled phones").split(name)
        let order = stream.permutation(heard.phones.count)
        return (heard.samples, isShuffled ? order.map { heard.phones[$0] } : heard.phones)
      }
      return try PhoneFeatures(
        one, fit: data(heard.fit, "fit"), held: data(heard.held, "held"), draws: draws,
        random.split("features").split(name))
    }
    return LayerReading(
      site: "\(site)", width: width, sufficiency: whole.sufficiency, necessity: whole.necessity,
      method: best.method,
      part: try best.curve(
        on: pairs.held, natural: study.natural, families: families, draws: draws,
        random.split("part")),
      phone: try probes.phone(heard, shuffles: shuffles, draws: draws, random.split("phone")),
      speaker: try probes.speaker(
        voices, shuffles: shuffles, draws: draws, random.split("speaker")),
      features: try features(autoencoder, "trained"),
      shuffled: try features(autoencoder, "shuffled", isShuffled: true),
      drawn: try features(autoencoder.drawn(random.split("drawn")), "drawn"),
      explainedVariance: SparseMetrics(autoencoder, on: heard.held.samples).explainedVariance)
  }
}

/// The share that a probe reads rightly, of other groups than it was trained on.
public struct ProbeReading: Codable, Sendable {
  public let read: Estimate
  /// The mean share over shuffles of the labels; the interval draws shuffles.
  public let shuffled: Estimate
  public let chance: Double

  /// - Parameters:
  ///   - groups: the resampling unit of each tried sample
  ///   - draws: bootstrap samples
  /// - Throws: where the classes of the fit are not all as large, or those of the test are not among them.
  public init(
    fit: LabelledSamples, test: LabelledSamples, groups: [String], shuffles: Int, draws: Int,
    _ random: Random
  ) throws {
    let control = try ProbeControl(
      fit: fit, test: test, shrinkage: 0.1, shuffles: shuffles, random.split("labels"))
    read = ratioOfMeans(
      control.read.map { $0 ? 1 : 0 }, control.read.map { _ in 1 }, groups: groups, draws: draws,
      random.split("read"))
    shuffled = clusterInterval(of: control.shuffled, draws: draws, random.split("shuffled")) {
      $0.reduce(0, +) / Double($0.count)
    }
    chance = control.chance
  }
}

extension SubspaceStudy {
  /// Of some methods' first K directions those that recover most on the fitting split's own pairs.
  ///
  /// - Parameter pairs: of the fitting split, in one direction
  public func best(
    of methods: [SubspaceMethod], size: Int, on pairs: [Exchange], _ random: Random
  ) throws -> PartMoves {
    let found = try methods.map {
      try moves($0, sizes: [size], random.split($0.rawValue))
    }.filter { !$0.sizes.isEmpty }
    let recoveries = try found.map { moves in
      let effects: Effects = try pairs.effects(of: { moves.move($0, 0) })
      return effects.recovery
    }
    guard let most = recoveries.max() else {
      throw SubspaceError(
        "none of \(methods.map(\.rawValue).joined(separator: ", ")) finds \(size) directions; take a "
          + "smaller K")
    }
    return found[recoveries.firstIndex(of: most)!]
  }
}
