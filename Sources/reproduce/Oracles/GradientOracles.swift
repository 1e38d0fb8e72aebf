// Oracles of attribution: that a slope is the slope of the patched run at the very site, and that
// what should be exact is.

import Interventions
import Speech
import Tensor

/// Oracles 3 to 8.
func gradientOracles(_ subject: OracleSubject) throws -> [Oracle] {
  [
    try linear(subject), try linearised(subject), try slopes(subject), try ownOutput(subject),
    keysOneByOne(), try completeness(subject),
  ]
}

extension OracleSubject {
  /// What a search gives to the corrupt run as the base.
  fileprivate func search(_ method: SearchMethod, _ sites: [Site]) throws -> SearchResult {
    try model.search(
      base: corrupt.question, source: clean.question, SearchOptions(method, sites: sites))
  }

  /// The slope of the patched logit difference along a move, at a step of no length: two widths of
  /// step, so that the error is of fourth order and rounding stays small.
  fileprivate func slope(_ site: Site, along move: Tensor) throws -> Double {
    let selection = try selection(site, base: corrupt, source: clean)
    func slope(_ step: Float) throws -> Double {
      let ends = try model.patched(
        corrupt, [step, -step].map { [selection.patch(taking: selection.base + move * $0)] })
      return (ends[0].logitDifference - ends[1].logitDifference) / (2 * Double(step))
    }
    return (4 * (try slope(0.02)) - (try slope(0.04))) / 3
  }
}

/// 3. Where the logit difference is linear in an activation, attribution is the exact effect: of the
/// whole site behind the final norm and of each of its coordinates.
private func linear(_ subject: OracleSubject) throws -> Oracle {
  let (base, source) = (subject.corrupt, subject.clean)
  let site = Site(.lm, .final)
  let scores = try subject.search(.attribution, [site]).scores[site]!
  let cells = [Cell(site)] + (0..<subject.model.lm.config.width).map { Cell(site, index: $0) }
  let patches = try cells.map { cell in
    [try Selection(cell, base: base, source: source, .identity)!.patch()]
  }
  let effects = try subject.model.patched(base, patches).map {
    $0.logitDifference - base.logitDifference
  }
  let largest = effects.map { abs($0) }.max()!
  let error = zip(cells, effects).reduce(0) { worst, pair in
    max(worst, abs(scores.score(.all, index: pair.0.index)! - pair.1))
  }
  return Oracle(
    3, "attribution is exact where the model is linear", passes: error < 1e-5 * largest,
    seen: largest,
    "\(cells.count) cells behind the final norm, effects up to \(decimal(largest)), largest error "
      + scientific(error))
}

/// 4. Relevance is the effect of the actual intervention in the model whose patterns, norms and gates
/// are frozen, computed forwards from the weights.
private func linearised(_ subject: OracleSubject) throws -> Oracle {
  let (base, source) = (subject.corrupt, subject.clean)
  let frozen = try LinearisedDecoder(subject.planted, base)
  let layers = 0..<subject.model.lm.config.layers
  let sites = layers.map { Site(.lm, $0, .residPost) }
  let scores = try subject.search(.relevance(freezingPatterns: true), sites).scores
  var (error, largest, cells) = (0.0, 0.0, 0)
  for layer in layers {
    for window in subject.planted.windows + [.text(-1, nil)] {
      let selection = try subject.selection(sites[layer], window, base: base, source: source)
      let effect = frozen.effect(
        of: DoubleMatrix(selection.move), at: selection.positions, behind: layer)
      error = max(error, abs(scores[sites[layer]]!.score(window)! - effect))
      largest = max(largest, abs(effect))
      cells += 1
    }
  }
  return Oracle(
    4, "relevance is the intervention in the linearised model", passes: error < 1e-4 * largest,
    seen: largest,
    "\(cells) cells, effects up to \(decimal(largest)), largest error \(scientific(error))")
}

/// 5. Attribution is the slope of the patched run, at every kind of site that vectors flow through.
private func slopes(_ subject: OracleSubject) throws -> Oracle {
  // One layer of each kind of site is enough; patterns and the sites of text alone are others'.
  let sites = subject.sites.filter { site in
    site.activation != .pattern && [nil, 1, 2, 4].contains(site.layer)
  }
  let scores = try subject.search(.attribution, sites).scores
  var (worst, largest, compared) = (0.0, 0.0, 0)
  for site in sites {
    let move = try subject.selection(site, base: subject.corrupt, source: subject.clean).move
    let (found, estimate) = (try subject.slope(site, along: move), scores[site]!.total)
    worst = max(worst, abs(found - estimate) / max(abs(estimate), 0.1))
    largest = max(largest, abs(estimate))
    if abs(estimate) > 0.01 { compared += 1 }
  }
  return Oracle(
    5, "gradient equals finite differences", passes: worst < 1e-3 && 2 * compared > sites.count,
    seen: largest,
    "\(sites.count) sites, \(compared) with a slope above 0.01, largest relative error "
      + scientific(worst))
}

/// 6. A component's score takes the gradient at its own output. At its input, the mistake of an
/// earlier tool, another number would come out.
private func ownOutput(_ subject: OracleSubject) throws -> Oracle {
  var (error, apart, largest) = (0.0, 0.0, 0.0)
  let layers = 0..<subject.model.lm.config.layers
  let scores = try subject.search(.attribution, layers.map { Site(.lm, $0, .mlpOut) }).scores
  for layer in layers {
    let site = Site(.lm, layer, .mlpOut)
    let move = try subject.selection(site, base: subject.corrupt, source: subject.clean).move
    let own = try subject.slope(site, along: move)
    let input = try subject.slope(Site(.lm, layer, .residMid), along: move)
    error = max(error, abs(scores[site]!.total - own))
    apart = max(apart, abs(own - input))
    largest = max(largest, abs(own))
  }
  return Oracle(
    6, "the gradient is taken at the component's output",
    passes: error < 1e-3 * largest && apart > 10 * error, seen: largest,
    "\(layers.count) MLPs, slopes up to \(decimal(largest, 3)), largest error \(scientific(error)); "
      + "taken at the input it would be off by \(scientific(apart))")
}

/// 7. QK-fix in closed form is the softmax computed again, one key at a time and one query at a time.
private func keysOneByOne() -> Oracle {
  let (rows, heads, keyHeads, width) = (17, 4, 2, 6)
  let layout = Layout(counts: [rows], visible: [.causal])
  let places = PatternLayout(layout, heads: heads)
  let random = Random(seed: 7)
  func drawn(_ name: String, _ width: Int) -> Tensor {
    Tensor([layout.rows, width], normal: 1.5, random.split(name))
  }
  let (q, k) = (drawn("q", heads * width), drawn("k", keyHeads * width))
  let (movedQ, movedK) = (drawn("q'", heads * width), drawn("k'", keyHeads * width))
  func patterns(_ q: Tensor, _ k: Tensor) -> Tensor {
    attentionPatterns(
      q, k, keyHeads: keyHeads, scale: 1 / Float(width).squareRoot(), places: places)
  }
  let base = patterns(q, k)
  let slopes = Tensor([base.count], normal: 1, random.split("slopes"))
  let attention = AttentionSlopes(
    q: q, k: k, keyHeads: keyHeads, patterns: base, slopes: slopes, places: places)
  let (byQuery, byKey) = (attention.effect(ofQueries: movedQ), attention.effect(ofKeys: movedK))
  /// The change of sum(patterns * slopes) when some columns of one row are another's.
  func again(_ x: Tensor, _ moved: Tensor, _ row: Int, _ columns: Range<Int>, isKey: Bool) -> Double
  {
    var numbers = x.numbers
    for c in columns { numbers[row * x.width + c] = moved[row, c] }
    let changed = Tensor(x.shape, numbers)
    let new = isKey ? patterns(q, changed) : patterns(changed, k)
    return (0..<base.count).reduce(0.0) {
      $0 + (Double(new[$1]) - Double(base[$1])) * Double(slopes[$1])
    }
  }
  var (error, largest) = (0.0, 0.0)
  for row in 0..<rows {
    for head in 0..<heads {
      let brute = again(q, movedQ, row, (head * width)..<((head + 1) * width), isKey: false)
      error = max(error, abs(brute - byQuery[row * heads + head]))
    }
    for head in 0..<keyHeads {
      let brute = again(k, movedK, row, (head * width)..<((head + 1) * width), isKey: true)
      error = max(error, abs(brute - byKey[row * keyHeads + head]))
      largest = max(largest, abs(brute))
    }
  }
  return Oracle(
    7, "QK-fix equals the softmax computed again, one key at a time", passes: error < 1e-5,
    seen: largest,
    "\(rows) queries of \(heads) heads, \(rows) keys of \(keyHeads); effects up to "
      + "\(decimal(largest)), largest error \(scientific(error))")
}

/// 8. Conductance adds up to the whole effect at every cut of the model.
private func completeness(_ subject: OracleSubject) throws -> Oracle {
  let sites = subject.model.residualSites
  let result = try subject.search(.conductance(steps: 16), sites)
  let worst = sites.compactMap { result.residual(at: $0) }.map { abs($0) }.max() ?? .infinity
  let plain = try subject.search(.attribution, sites)
  let without = sites.compactMap { plain.residual(at: $0) }.map { abs($0) }.max() ?? 0
  return Oracle(
    8, "conductance is complete at every layer", passes: worst < 0.01, seen: abs(result.total),
    "\(sites.count) cuts, 16 steps, total effect \(decimal(result.total)), largest residual "
      + "\(decimal(100 * worst, 3))%; plain attribution's \(decimal(100 * without, 1))%")
}
