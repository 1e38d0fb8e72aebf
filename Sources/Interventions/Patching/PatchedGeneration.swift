// What a model says under an intervention, token by token (`paper/definitions.md`, D111).

import Speech
import Tensor

/// What acts at every step of a generation: a change of the positions that say tokens, each by itself.
public struct StepChange: Sendable {
  public let site: Site
  /// From [positions, width] to what takes its place, of the same shape, row by row.
  let change: @Sendable (Tensor) -> Tensor

  public init(_ site: Site, change: @escaping @Sendable (Tensor) -> Tensor) {
    (self.site, self.change) = (site, change)
  }
}

extension Trace {
  /// How many positions the prompt has: what is forced or read behind it is left out.
  fileprivate var promptTokens: Int {
    let input = question.input
    return tokens - input.forced.count - input.continuations.reduce(0) { $0 + $1.count }
  }
}

extension SpeechLanguageModel {
  /// Whether a patch acts at the prompt, as `generate` wants it, and not at an answer that is forced.
  public func isOfPrompt(_ patch: Patch, in base: Trace) -> Bool {
    !Order(self).isSaid(patch.site) || (patch.positions.max() ?? 0) < base.promptTokens
  }

  /// What the base run's model says, without the end token, where activations are changed.
  ///
  /// Patches act at the prompt: keys and values that they leave there stay for everything that is said.
  /// Changes of steps act at the position that says the first token and at each one behind it.
  ///
  /// - Parameters:
  ///   - base: a run of the prompt; what its question forces behind it is left out
  ///   - patches: act together, as in `patched`
  ///   - steps: act behind the patches
  /// - Throws: where a site, head or position is not there or not of the prompt, at patterns and logits,
  ///   and where the model speaks while it hears.
  public func generate(
    _ base: Trace, _ patches: [Patch], steps: [StepChange] = [], _ config: GenerationConfig,
    progress: (Int) -> Void = { _ in }
  ) throws -> Generated {
    var input = base.question.input
    let prompt = base.promptTokens
    (input.forced, input.continuations) = ([], [])
    input.kept = input.kept ?? base.spliced
    let order = Order(self)
    for patch in patches { try check(patch, in: base) }
    let sites = Set(patches.map(\.site) + steps.map(\.site))
    let places = Dictionary(
      uniqueKeysWithValues: try sites.map { site in
        try check(site)
        return (site, try base.place(of: site))
      })
    for (site, place) in places {
      guard place.pattern == nil, site.activation != .logits else {
        throw CellError(
          "\(site): is of another shape with every token that is said; patch what follows from it, "
            + "such as \(Site(site.stage, site.layer, .z))")
      }
    }
    if let patch = patches.first(where: {
      order.isSaid($0.site) && ($0.positions.max() ?? 0) >= prompt
    }) {
      throw CellError(
        "\(patch.site): position \(patch.positions.max()!) is not of the prompt, which has \(prompt)"
      )
    }
    if let step = steps.first(where: { !order.isSaid($0.site) }) {
      throw CellError(
        "\(step.site): is computed once, before anything is said; change it by a patch")
    }

    let own = Dictionary(grouping: patches, by: \.site)
    let changes = Dictionary(grouping: steps, by: \.site)
    /// What patches have left at the prompt's positions, for the passes that compute them again.
    var left: [Site: (positions: [Int], rows: Tensor)] = [:]
    let changing = SpeakingTap(sites) { site, x, positions in
      let place = places[site]!
      guard order.isSaid(site), let positions else {
        return changed(
          Patch.applying(own[site] ?? [], to: x, at: place), changes[site] ?? [],
          rows: order.isSaid(site) ? [place.rows[prompt - 1]] : [])
      }
      var x = x
      if let (old, rows) = left[site] {
        let again = old.indices.filter { positions.contains(old[$0]) }
        x = replacingRows(
          x, at: again.map { old[$0] - positions.lowerBound }, with: gatherRows(rows, again))
      } else if let patches = own[site], positions.lowerBound < prompt {
        x = Patch.applying(patches, to: x, at: place)
        let all = Set(patches.flatMap(\.positions)).sorted()
        left[site] = (all, gatherRows(x, all))
      }
      let saying = positions.clamped(to: (prompt - 1)..<max(prompt, positions.upperBound))
      return changed(x, changes[site] ?? [], rows: saying.map { $0 - positions.lowerBound })
    }
    return try generate(
      input, config, changing: sites.isEmpty ? nil : changing, progress: progress)
  }
}

/// The activation with some rows changed, one change after the other.
private func changed(_ x: Tensor, _ steps: [StepChange], rows: [Int]) -> Tensor {
  if steps.isEmpty || rows.isEmpty { return x }
  let own = gatherRows(x, rows)
  let new = steps.reduce(own) { $1.change($0) }
  precondition(new.shape == own.shape, "a change of a step changes the shape at \(steps[0].site)")
  return replacingRows(x, at: rows, with: new)
}
