# JupyterLab with the chapters: docker build -t first-spikes . && docker run -p 8888:8888 first-spikes
FROM python:3.11-slim

RUN apt-get update \
    && apt-get install -y --no-install-recommends chromium fonts-dejavu-core git make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /first-spikes
# The environment changes less often than the book, so that it comes first.
COPY pyproject.toml README.md LICENSE requirements.txt Makefile ./
COPY tools/bootstrap.py tools/environment.py tools/
COPY ttfslib ttfslib
RUN make environment

COPY . .
EXPOSE 8888
CMD ["make", "lab", "LAB=--ip=0.0.0.0 --no-browser"]
