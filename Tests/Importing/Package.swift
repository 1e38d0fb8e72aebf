// swift-tools-version: 6.1
import PackageDescription

// A package of somebody else's: it has the program that README shows, and `make test` builds and runs it.
let package = Package(
  name: "importing",
  dependencies: [.package(name: "temporal-attribution-patching", path: "../..")],
  targets: [
    .executableTarget(
      name: "importing",
      dependencies: [
        .product(name: "Interventions", package: "temporal-attribution-patching"),
        .product(name: "Speech", package: "temporal-attribution-patching"),
      ],
      path: "Sources/Importing")
  ])
