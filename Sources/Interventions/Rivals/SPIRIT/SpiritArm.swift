// What SPIRIT does, one intervention at a time: on which neurons, how they are chosen, what takes the place
// of their activation, at which positions and for how long (arXiv 2505.13541; `paper/definitions.md`, D163).

import Speech
import Tensor

/// Where the neurons are.
public enum SpiritSite: String, Codable, Sendable, CaseIterable {
  /// The encoder's MLPs, behind the activation function.
  case encoder
  /// The gate of the language model's MLPs, behind its nonlinearity and before it multiplies what it gates.
  case gate
}

/// What is done to an activation.
public enum SpiritChange: String, Codable, Sendable, CaseIterable {
  /// It becomes 0; a constant is added; or the reference's value at the same position takes its place.
  case prune, bias, patch
}

/// The run that neurons are compared with, and patched from.
public enum SpiritReference: String, Codable, Sendable, CaseIterable {
  /// The recording without noise, which nobody has.
  case oracle
  /// The denoised waveform.
  case denoised
}

/// One intervention at one strength.
public struct SpiritArm: Hashable, Codable, Sendable {
  public var site: SpiritSite
  public var change: SpiritChange
  public var reference: SpiritReference
  public var choice: NoiseChoice
  /// Of all neurons of the site, layers together; half a percent is 0.5.
  public var percent: Double
  /// The last positions of the site that are changed (of the language model: of its prompt); all where nil.
  public var last: Int?
  /// Whether positions of what is said are changed as well; else the prompt's alone, as SPIRIT does.
  public var everyStep: Bool

  public init(
    _ site: SpiritSite, _ change: SpiritChange, _ reference: SpiritReference,
    _ choice: NoiseChoice = .sensitive, percent: Double, last: Int? = nil, everyStep: Bool = false
  ) {
    (self.site, self.change, self.reference, self.choice) = (site, change, reference, choice)
    (self.percent, self.last, self.everyStep) = (percent, last, everyStep)
  }

  /// The percents of SPIRIT's sweep.
  public static let percents = [0.01, 0.05, 0.1, 0.5, 1, 2, 3, 5, 10, 20]

  /// What is done over those percents: what anybody could do, and patching from the run without noise.
  public static let sweep = SpiritSite.allCases.flatMap { site in
    [(SpiritChange.prune, SpiritReference.denoised), (.bias, .denoised), (.patch, .denoised)]
      .flatMap {
        change, reference in percents.map { SpiritArm(site, change, reference, percent: $0) }
      } + percents.map { SpiritArm(site, .patch, .oracle, percent: $0) }
  }

  /// At one strength, gates at all positions, the last and the last ten, of the prompt or at every step.
  public static func modes(percent: Double) -> [SpiritArm] {
    [(SpiritChange.prune, SpiritReference.denoised), (.patch, .oracle)].flatMap {
      change, reference in
      [nil, 1, 10].flatMap { last in
        [false, true].map {
          SpiritArm(.gate, change, reference, percent: percent, last: last, everyStep: $0)
        }
      }
    }
  }

  /// Whether the causal map, which names neurons of the encoder to be patched, has such an intervention.
  public var isCausal: Bool { site == .encoder && change == .patch }

  /// With what it is heard: drawn neurons, and those of the causal map where it names some.
  public var beside: [SpiritArm] { [self, by(.drawn)] + (isCausal ? [by(.causal)] : []) }

  /// The same with neurons that are chosen otherwise.
  public func by(_ choice: NoiseChoice) -> SpiritArm {
    var arm = self
    arm.choice = choice
    return arm
  }

  /// The same at another strength.
  public func at(_ percent: Double) -> SpiritArm {
    var arm = self
    arm.percent = percent
    return arm
  }

  public var name: String {
    "\(choice.rawValue): \(site.rawValue), \(change.rawValue), \(reference.rawValue), \(percent)%"
      + (last.map { ", last \($0)" } ?? "") + (everyStep ? ", every step" : "")
  }

  /// How many neurons that is, rounded down as SPIRIT's code does; none of a small model at a small percent.
  public func count(of all: Int) -> Int { Int(Double(all) * percent / 100) }

  /// - Throws: where the strength or the positions are none.
  public func check() throws {
    guard percent > 0, percent <= 100 else {
      throw CellError(
        "\(name): takes \(percent)% of the neurons; give a percent above 0 and up to 100 (0.5 is half a "
          + "percent)")
    }
    if let last, last < 1 {
      throw CellError(
        "\(name): changes no position; give a number of positions above 0, or nil for all")
    }
    if site == .encoder, everyStep {
      throw CellError(
        "\(name): the encoder hears once, before anything is said; leave out every step")
    }
    if site == .gate, choice == .causal {
      throw CellError("\(name): the causal map names neurons of the encoder; take that site")
    }
  }

  /// What takes the place of an activation.
  ///
  /// - Parameter reference: that of the reference at the same position; nil where it has ended, which leaves
  ///   a patch as it is
  func changed(_ own: Float, bias: Float, reference: Float?) -> Float {
    switch change {
    case .prune: 0
    case .bias: own + bias
    case .patch: reference ?? own
    }
  }
}

/// What changes neurons while a model writes.
///
/// At a gate no site lies behind the nonlinearity, so that the product is written that follows from the
/// changed activation: from act(g) u to a u, where u is what the run itself computes behind earlier changes.
///
/// - Parameters:
///   - sites: `neuronSites`, or `gateSites`
///   - prompt: positions of the site before anything is said; of the encoder all that there are
///   - rows: of the encoder's positions in the tensor of each layer; not read at the gate
///   - reference: the reference's activations, [positions, neurons] of each layer
package func spiritTap(
  _ arm: SpiritArm, _ set: NeuronSet, at sites: [Site], prompt: Int, rows: [[Int]] = [],
  bias: Float, reference: [Tensor]
) -> SpeakingTap {
  let layers = Dictionary(uniqueKeysWithValues: sites.enumerated().map { ($1, $0) })
  let first = max(0, prompt - (arm.last ?? prompt))
  /// Writes what `value` makes of the changed activation, at the row of each position.
  func writing(
    _ x: Tensor, layer: Int, _ places: [(position: Int, row: Int)], own: [Float],
    _ value: (_ changed: Float, _ index: Int) -> Float
  ) -> Tensor {
    var numbers = x.numbers
    let theirs = reference[layer]
    for (position, row) in places {
      for neuron in set.byLayer[layer] {
        let index = row * x.width + neuron
        let there = position < theirs.rows ? theirs[position, neuron] : nil
        numbers[index] = value(arm.changed(own[index], bias: bias, reference: there), index)
      }
    }
    return Tensor(x.shape, numbers)
  }
  let changed = sites.indices.filter { !set.byLayer[$0].isEmpty }.map { sites[$0] }
  guard arm.site == .gate else {
    return SpeakingTap(Set(changed)) { site, x, _ in
      let layer = layers[site]!
      let places = (first..<prompt).map { (position: $0, row: rows[layer][$0]) }
      return writing(x, layer: layer, places, own: x.numbers) { changed, _ in changed }
    }
  }
  var (gate, up): ([Float], [Float]) = ([], [])
  let heard = changed.flatMap { site in
    [Site.Activation.mlpGate, .mlpPre, .mlpPost].map { Site(site.stage, site.layer, $0) }
  }
  return SpeakingTap(Set(heard)) { site, x, positions in
    switch site.activation {
    case .mlpGate: gate = activated(x).numbers
    case .mlpPre: up = x.numbers
    default:
      let layer = layers[Site(site.stage, site.layer, .mlpGate)]!
      let here = positions ?? 0..<x.rows
      let places = here.filter { $0 >= first && (arm.everyStep || $0 < prompt) }
        .map { (position: $0, row: $0 - here.lowerBound) }
      return writing(x, layer: layer, places, own: gate) { $0 * up[$1] }
    }
    return x
  }
}

/// The gate behind its nonlinearity, to the bit what the model multiplies.
package func activated(_ gate: Tensor) -> Tensor {
  gatedSilu(gate, Tensor(gate.shape, [Float](repeating: 1, count: gate.count)))
}
