// # Which search is closest to exact patching?
//
// Attribution proposes cells from two forward passes and one back, by a linear estimate: slope times
// move. It fails in known ways, and there are known remedies. Where the softmax saturates, QK-fix puts
// a query or a key through the softmax itself. Where norms and gates bend, relevance propagation
// (RelP) uses other slopes. Where the slope changes on the way, conductance and integrated gradients
// average it along a path of inputs; conductance also adds up to the whole effect at every cut. Where
// direct and indirect effects cancel, GradDrop closes one layer at a time.
//
// Whether a remedy helps depends on the model, so it is measured here, against the exact effect of
// the same cells: the change of the logit difference when the corrupt run takes the clean run's
// activation.

import Corpus
import Figures
import Interventions
import Notebook
import Speech
import Tensor

let notebook = experiment("search-methods", takes: [.model, .pairs])

// ## What is run, and on what
//
// Pairs of the discovery and validation splits only: choosing a method needs no test split. Sites are
// those that each remedy is meant for: the residual stream and what the MLPs write (RelP), heads'
// outputs, and queries and keys head by head (QK-fix), of the encoder and the language model.

let study = notebook.study(needing: [\.searchSplit])
let (rules, root) = (study.rules, study.root)
let random = study.random("search methods")
let pairs = study.sample(5, without: rules.confirmSplit)
let windows = LockedWindows(width: 120, fixed: -5..<8, phones: 0...0, text: 4)
let steps = 16
let families = ["residual", "mlp", "heads", "queries", "keys"]
let methods: [SearchMethod] = [
  .attribution, .relevance(freezingPatterns: false), .attributionQK, .conductance(steps: steps),
  .integratedGradients(steps: steps), .gradDrop,
]
let folders = notebook.checkpoints(["qwen2-audio-small", "salmonn-small", "soundwave-small"])

/// One pair in one model: by family exact effects, and by family and method their estimates, all in
/// nats by [row][window].
struct Measured: Codable, Sendable {
  let clean: Double
  let corrupt: Double
  var exact: [[[Double?]]] = []
  var estimates: [[[[Double?]]]] = []
  /// What conductance misses of the whole effect at the depth of each residual site, in nats.
  var missing: [Double] = []
}

@Sendable func measure(_ speech: SpeechModel, _ pair: MinimalPair) throws -> Measured {
  let model = speech.model
  var (clean, corrupt) = try speech.questions(for: pair, root: root)
  let mask = try model.trace(corrupt)
  (clean, corrupt) = (clean.keepingFrames(of: mask), corrupt.keepingFrames(of: mask))
  let sized = model.sites.filter { [.encoder, .lm].contains($0.stage) }
  let example = try model.trace(corrupt, keeping: sized)
  let own = try families.map { try model.componentRows($0, in: example) }
  let named = Set(own.joined().map(\.site)).union(model.branchSites)
  let sites = named.sorted { "\($0)" < "\($1)" }
  let (base, source) = (
    try model.trace(corrupt, keeping: sites), try model.trace(clean, keeping: sites)
  )
  var measured = Measured(clean: source.logitDifference, corrupt: base.logitDifference)
  let columns = windows.ofTime(pair)
  for rows in own {
    let cells = rows.flatMap { row in
      columns.map { [Interventions.Cell(row.site, index: row.index, $0)] }
    }
    var values = try model.patched(base, from: source, cells: cells)[...]
    measured.exact.append(rows.map { _ in columns.map { _ in values.removeFirst() } })
  }
  for method in methods {
    let found = try model.search(
      base: corrupt, source: clean, SearchOptions(method, sites: sites))
    measured.estimates.append(
      own.map { rows in
        rows.map { row in
          columns.map { found.scores[row.site]!.score($0, index: row.index) }
        }
      })
    if case .conductance = method {
      measured.missing = own[0].map { row in
        model.cut(at: row.site).reduce(-found.total) { $0 + found.scores[$1]!.total }
      }
    }
  }
  return measured
}

// ## Agreement
//
// Maps are averaged over the pairs that enter, then compared over all cells of a family that every
// pair has: Pearson (size), Spearman (order), the ten strongest cells, and how many exact patches it
// takes to have found the strongest. Intervals are over groups of pairs.

/// How a method agrees with exact effects at one family of sites of one model.
struct Agreement {
  let folder: String
  let family: String
  let method: SearchMethod
  let certificate: Certificate
}

/// One model's agreements, and what conductance misses at each depth, as a share of the effect.
@MainActor func agreements(_ folder: String) -> (list: [Agreement], missing: [Double]) {
  let speech = notebook.checkpoint(folder)
  notebook.askFirst(speech, pairs, of: study, as: folder)
  let measured = notebook.cell(folder, over: pairs, key: \.id) { try measure(speech, $0) }
  let kept = notebook.entering(study, measured.map { ($0.clean, $0.corrupt) }, of: folder)
  notebook.number("s2.\(folder).pairsKept", Double(kept.count))
  let groups = kept.map { pairs[$0].group }
  var list: [Agreement] = []
  for (f, family) in families.enumerated() {
    for (m, method) in methods.enumerated() {
      let maps = kept.map { index -> PairMap in
        let one = measured[index]
        var map = PairMap(clean: one.clean, corrupt: one.corrupt)
        map.sufficiency = one.exact[f]
        if case .gradDrop = method {
          // It has no sign, so it is compared with the size of the effect.
          map.sufficiency = one.exact[f].map {
            $0.map { $0.map { one.corrupt + abs($0 - one.corrupt) } }
          }
        }
        map.searchSufficiency = one.estimates[m][f]
        return map
      }
      let certificate = attempt {
        try maps.certificate(
          .sufficiency, estimates: \.searchSufficiency, effects: \.sufficiency, groups: groups,
          searchCost: 4, threshold: rules.bottleneckRecovery,
          random.split(folder).split(family).split(method.name))
      }
      list.append(
        Agreement(folder: folder, family: family, method: method, certificate: certificate))
    }
  }
  let whole = kept.reduce(0.0) { $0 + measured[$1].clean - measured[$1].corrupt }
  let sites = kept.first.map { measured[$0].missing.indices } ?? 0..<0
  return (
    list,
    sites.map { site in kept.reduce(0.0) { $0 + measured[$1].missing[site] } / whole }
  )
}

let found = folders.map { agreements($0) }
let all = found.flatMap(\.list)

@MainActor func agreement(_ folder: String, _ family: String, _ method: SearchMethod) -> Certificate
{
  all.first { $0.folder == folder && $0.family == family && $0.method == method }!.certificate
}

// ## Figure S2
//
// ![Agreement of search methods with exact patching](figures/figureS2.svg)

let figure = searchMethodsFigure(
  all.map {
    MethodAgreement(
      model: $0.folder, family: $0.family, method: $0.method.name, certificate: $0.certificate)
  })
notebook.figure(
  "figures/figureS2", figure, title: "Figure S2: search against exact patching")

// ## What the text says
//
// A remedy is at least as close where it is so by both correlations, on the sites that it is meant
// for. If it is not, the claim is refuted for that model and kind of site, and printed so.

for (claim, name, method, sites) in [
  ("S2", "RelP", SearchMethod.relevance(freezingPatterns: false), ["residual", "mlp"]),
  ("S3", "QK-fix", .attributionQK, ["queries", "keys"]),
] {
  for folder in folders {
    for family in sites {
      let (plain, other) = (
        agreement(folder, family, .attribution), agreement(folder, family, method)
      )
      for (label, certificate) in [("attribution", plain), (name, other)] {
        for (kind, estimate) in [
          ("pearson", certificate.intervals?.pearson),
          ("spearman", certificate.intervals?.spearman),
        ] {
          // A model without such sites, or whose cells do not vary, has no correlation.
          guard let estimate, estimate.value.isFinite else { continue }
          notebook.number(
            "s2.\(folder).\(family).\(label).\(kind)", estimate, claim: claim)
        }
      }
      notebook.claim(
        "\(claim).\(folder).\(family)",
        "\(name) is at least as close to exact effects as attribution, \(family) of \(folder)",
        holds: (other.pearson ?? 0) >= (plain.pearson ?? 0)
          && (other.spearman ?? 0) >= (plain.spearman ?? 0))
    }
  }
}
for (folder, one) in zip(folders, found) {
  let largest = one.missing.map(abs).max() ?? 0
  notebook.number("s2.\(folder).incomplete", largest, tolerance: 1e-6, claim: "S4")
  notebook.claim(
    "S4.\(folder)",
    "conductance with \(steps) steps misses under 1% of the whole effect at every depth",
    holds: largest < 0.01)
}
notebook.finish()
